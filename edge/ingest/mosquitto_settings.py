"""A mosquitto.conf, read and judged: whether the broker keeps what it acknowledges. Pure.

Owns which settings matter to the promise and what their defaults are (mosquitto 2). Where a broker
drops or forgets, it does so without a word to the device that it has answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge.ingest.findings import Finding, Grade

QUEUED_BYTES_MIN: Final = 67_108_864  # an hour at 200 messages/s of 90 bytes
AUTOSAVE_MAX_S: Final = 60
EXPIRATION_MIN_DAYS: Final = 90  # as long as a site must be able to go on alone
_HOURS: Final = {"h": 1 / 24, "d": 1, "w": 7, "m": 30, "y": 365}
_NAME: Final = "broker settings"


@dataclass(frozen=True, slots=True)
class MosquittoSettings:
    """What of a configuration matters here; 0 means no limit, as mosquitto has it."""

    persistence: bool = False
    autosave_interval_s: int = 1_800
    autosave_on_changes: bool = False
    max_queued_messages: int = 1_000
    max_queued_bytes: int = 0
    max_inflight_messages: int = 20
    message_size_limit_bytes: int = 0
    memory_limit_bytes: int = 0
    sys_interval_s: int = 10
    client_expiration_days: float | None = None
    unreadable: tuple[str, ...] = ()


def read_settings(text: str) -> MosquittoSettings:
    """Return the settings in the text of a mosquitto.conf; of a key given twice the last holds."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            found[key] = value.strip()
    unreadable: list[str] = []

    def number(key: str, default: int) -> int:
        value = found.get(key, str(default))
        if value.isascii() and value.isdigit():
            return int(value)
        unreadable.append(f"{key} {value}")
        return default

    sizes = [number(key, 0) for key in ("message_size_limit", "max_packet_size")]
    return MosquittoSettings(
        persistence=found.get("persistence") == "true",
        autosave_interval_s=number("autosave_interval", 1_800),
        autosave_on_changes=found.get("autosave_on_changes") == "true",
        max_queued_messages=number("max_queued_messages", 1_000),
        max_queued_bytes=number("max_queued_bytes", 0),
        max_inflight_messages=number("max_inflight_messages", 20),
        message_size_limit_bytes=min((size for size in sizes if size), default=0),
        memory_limit_bytes=number("memory_limit", 0),
        sys_interval_s=number("sys_interval", 10),
        client_expiration_days=_days(found.get("persistent_client_expiration")),
        unreadable=tuple(unreadable),
    )


def included_folders(text: str) -> list[str]:
    """Return the folders whose files (``*.conf``) mosquitto reads behind this one."""
    lines = (line.strip().partition(" ") for line in text.splitlines())
    return [value.strip() for key, _, value in lines if key == "include_dir" and value.strip()]


def judge_settings(settings: MosquittoSettings, payload_size_max_bytes: int) -> Iterator[Finding]:
    """Yield what is wrong with ``settings``; one finding that says so if nothing is."""
    findings = [
        *_judge_persistence(settings),
        *_judge_queues(settings),
        *_judge_sizes(settings, payload_size_max_bytes),
        *_judge_reading(settings),
    ]
    yield from findings or (
        Finding(_NAME, Grade.OK, "the broker keeps what it acknowledges, within its limits"),
    )


def _judge_persistence(settings: MosquittoSettings) -> Iterator[Finding]:
    if not settings.persistence:
        yield Finding(
            _NAME,
            Grade.FAILED,
            "persistence is off: when the broker stops, all that the edge has not read is gone",
            "persistence true",
        )
    elif settings.autosave_interval_s == 0 or (
        settings.autosave_interval_s > AUTOSAVE_MAX_S and not settings.autosave_on_changes
    ):
        yield Finding(
            _NAME,
            Grade.WARNING,
            f"autosave_interval is {settings.autosave_interval_s}: a power cut loses what came "
            "since the last save (0: since the broker's start)",
            "autosave_interval 30",
        )
    days = settings.client_expiration_days
    if days is not None and days < EXPIRATION_MIN_DAYS:
        yield Finding(
            _NAME,
            Grade.FAILED,
            f"persistent_client_expiration is {days:g} days: the queue of an edge that is off for "
            "longer is thrown away",
            "remove persistent_client_expiration",
        )


def _judge_queues(settings: MosquittoSettings) -> Iterator[Finding]:
    if settings.max_queued_messages:
        yield Finding(
            _NAME,
            Grade.FAILED,
            f"max_queued_messages is {settings.max_queued_messages}: while the edge lags or is "
            "off, what comes beyond that is acknowledged to the device and dropped in silence",
            "max_queued_messages 0, and max_queued_bytes 1073741824 as the limit",
        )
    queued_bytes = settings.max_queued_bytes
    if 0 < queued_bytes < QUEUED_BYTES_MIN:
        yield Finding(
            _NAME,
            Grade.WARNING,
            f"max_queued_bytes is {queued_bytes}: a short stop of the edge fills it, and what "
            "comes beyond that is dropped in silence",
            "max_queued_bytes 1073741824",
        )
    elif not queued_bytes and not settings.max_queued_messages:
        yield Finding(
            _NAME,
            Grade.WARNING,
            "no limit holds for what waits: an edge that is off for long fills the broker's memory",
            "max_queued_bytes 1073741824",
        )
    if settings.memory_limit_bytes:
        yield Finding(
            _NAME,
            Grade.WARNING,
            f"memory_limit is {settings.memory_limit_bytes}: the broker refuses messages when it "
            "is reached, and what waits for the edge counts",
            "remove memory_limit, or make it twice max_queued_bytes",
        )


def _judge_sizes(settings: MosquittoSettings, payload_max_bytes: int) -> Iterator[Finding]:
    limit_bytes = settings.message_size_limit_bytes
    if 0 < limit_bytes < payload_max_bytes:
        yield Finding(
            _NAME,
            Grade.FAILED,
            f"messages above {limit_bytes} bytes are refused by the broker, and the edge would "
            f"take up to {payload_max_bytes}",
            f"message_size_limit {payload_max_bytes}, no max_packet_size; or lower "
            "ingest.payload_size_max_bytes",
        )
    inflight = settings.max_inflight_messages
    if 0 < inflight < 100:
        yield Finding(
            _NAME,
            Grade.WARNING,
            f"max_inflight_messages is {inflight}: each commit of the edge moves no more than that",
            "max_inflight_messages 0",
        )


def _judge_reading(settings: MosquittoSettings) -> Iterator[Finding]:
    if not settings.sys_interval_s:
        yield Finding(
            _NAME,
            Grade.WARNING,
            "sys_interval is 0: the broker does not tell how much it drops",
            "sys_interval 10",
        )
    for line in settings.unreadable:
        yield Finding(_NAME, Grade.WARNING, f"not understood: {line}", "give a whole number")


def _days(value: str | None) -> float | None:
    if value is None or value[-1:] not in _HOURS or not value[:-1].isdigit():
        return None
    return int(value[:-1]) * _HOURS[value[-1]]

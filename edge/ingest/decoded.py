"""What decoding yields: samples to judge and refusals to keep. Pure types, no rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from shared.domain.samples import Value, ValueType
from shared.domain.topics import Topic


class Reason(StrEnum):
    """Why something was refused; stable, counted and shown in the quarantine."""

    BAD_TOPIC = "bad_topic"
    FOREIGN_SITE = "foreign_site"
    BAD_JSON = "bad_json"
    BAD_MSGPACK = "bad_msgpack"
    BAD_STRUCTURE = "bad_structure"
    BAD_VALUE = "bad_value"
    BAD_METRIC = "bad_metric"
    BAD_TS = "bad_ts"
    FUTURE_TIME = "future_time"
    BAD_SEQ = "bad_seq"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TOO_MANY_SAMPLES = "too_many_samples"
    TOO_MANY_SERIES = "too_many_series"
    NOT_PERMITTED = "not_permitted"  # its sender may not publish there; by the listener only


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that was not accepted: ``field`` is its path, ``detail`` what was expected."""

    reason: Reason
    field: str
    detail: str


class DecodedSample(msgspec.Struct, frozen=True):
    """What a device said at one moment; times and numbers are still the device's own.

    ``values`` may be empty: of a heartbeat, or of a sample all of whose metrics were refused. Its
    ``seq`` still tells that nothing was lost on the way.
    """

    seq: int | None
    ts_ms: int | None
    values: Sequence[tuple[str, ValueType, Value]]
    is_heartbeat: bool = False


class Decoded(msgspec.Struct, frozen=True):
    """One message: the samples that can be judged and what was refused."""

    topic: Topic
    samples: Sequence[DecodedSample]
    refused: Sequence[Refusal]
    units: Mapping[str, str] = {}  # declared by a birth


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """How much one message may hold; what is beyond is refused, the rest is kept."""

    payload_size_max_bytes: int
    samples_per_message_max: int
    metrics_per_sample_max: int

"""Configuration of the edge, parsed once into frozen sections. Every key carries its unit."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, IPvAnyNetwork, StringConstraints, model_validator

from shared.configuration import Section
from shared.sync.records import Severity

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
CongestionControl = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,15}$")]


class MqttConfig(Section):
    """The broker the edge reads from."""

    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None  # one line; mode 0600
    ca_file: Path | None = None  # given: TLS
    client_id: str | None = None  # default: headframe-{edge_id}; fixed, or the session is lost
    version: Annotated[int, Field(ge=4, le=5)] = 4  # 4 = MQTT 3.1.1, 5 = MQTT 5
    keepalive_s: Annotated[int, Field(ge=5, le=600)] = 30
    refusals_file: Path | None = None  # JSON, reason -> count: what the broker refused before us
    broker_config_file: Path | None = None  # mosquitto.conf, to be judged by check


class IngestConfig(Section):
    """What is accepted, and how samples are judged."""

    linger_ms: Annotated[int, Field(ge=1, le=1000)] = 20  # wait for company before a commit
    payload_size_max_bytes: Annotated[int, Field(ge=1024, le=8_388_608)] = 524_288
    samples_per_message_max: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    metrics_per_sample_max: Annotated[int, Field(ge=1, le=10_000)] = 512
    series_max: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    late_after_s: Annotated[float, Field(gt=0)] = 60.0
    future_after_s: Annotated[float, Field(gt=0)] = 2.0
    future_reject_s: Annotated[float, Field(gt=0)] = 300.0


class ListenerConfig(Section):
    """The edge's own MQTT endpoint for publishers: its PUBACK means "on disk"."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Port = 1884
    accounts_file: Path | None = None  # JSON: who may publish, and as which devices
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    client_ca_file: Path | None = None  # given: publishers may prove themselves by certificate
    insecure: bool = False  # other addresses than loopback without TLS
    connections_max: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    connects_per_minute_max: Annotated[int, Field(ge=0)] = 600  # from one address; 0 = no limit
    in_flight_max: Annotated[int, Field(ge=1, le=65_535)] = 1_000  # of one connection
    packet_size_max_bytes: Annotated[int, Field(ge=65_536, le=16_777_216)] = 8_454_144
    keepalive_max_s: Annotated[int, Field(ge=5, le=65_535)] = 600  # MQTT 5: imposed
    idle_timeout_s: Annotated[float, Field(gt=0)] = 3_600.0  # of a publisher without keepalive
    greeting_timeout_s: Annotated[float, Field(gt=0)] = 10.0  # TLS, CONNECT and its judging, each
    packet_timeout_s: Annotated[float, Field(gt=0)] = 60.0  # from the first byte to the last


class LogConfig(Section):
    """Sizes of the durable log and the quarantine."""

    segment_size_bytes: Annotated[int, Field(ge=1_048_576)] = 134_217_728
    size_max_bytes: Annotated[int, Field(ge=8_388_608)] = 21_474_836_480
    free_space_min_bytes: Annotated[int, Field(ge=0)] = 268_435_456
    quarantine_entries_max: Annotated[int, Field(ge=1)] = 10_000
    quarantine_size_max_bytes: Annotated[int, Field(ge=65_536)] = 67_108_864
    quarantine_payload_max_bytes: Annotated[int, Field(ge=256)] = 65_536


class ThresholdConfig(Section):
    """One rule: an alert when a metric of any asset reaches a limit."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    metric: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    raise_at: Annotated[float, Field(allow_inf_nan=False)]
    clear_below: Annotated[float, Field(allow_inf_nan=False)] | None = None  # default: raise_at
    severity: Severity = Severity.HIGH

    @model_validator(mode="after")
    def _clears_below_where_it_raises(self) -> Self:
        if self.clear_below is not None and self.clear_below > self.raise_at:
            raise ValueError("clear_below must not exceed raise_at")
        return self


METHANE = ThresholdConfig(
    name="methane_high", metric="ch4_pct", raise_at=1.5, severity=Severity.CRITICAL
)


class AlarmsConfig(Section):
    """Which values raise alerts."""

    thresholds: Annotated[tuple[ThresholdConfig, ...], Field(max_length=1_000)] = (METHANE,)

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        names = [rule.name for rule in self.thresholds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"thresholds: two rules are named {twice[0]!r}")
        return self


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"not a time zone of this system: {name}") from error
    return name


# An IANA name; days and hours in the section are told in it.
TimeZone = Annotated[str, AfterValidator(_known_zone)]
DailyWindow = Annotated[
    str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")
]


class BackfillOrder(StrEnum):
    """In which order telemetry of the past is sent."""

    NEWEST_HOUR_FIRST = "newest_hour_first"  # within an hour the oldest first
    OLDEST_FIRST = "oldest_first"


class UplinkConfig(Section):
    """The sync session to central."""

    url: str | None = None  # wss://host:port/sync/v1; absent: the site works alone
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    connect_timeout_s: Annotated[float, Field(gt=0)] = 10.0
    silence_timeout_s: Annotated[float, Field(gt=0)] = 45.0
    backoff_min_s: Annotated[float, Field(gt=0)] = 0.5
    backoff_max_s: Annotated[float, Field(gt=0)] = 60.0
    backfill_order: BackfillOrder = BackfillOrder.NEWEST_HOUR_FIRST
    rate_max_bytes_per_s: Annotated[int, Field(ge=1_024)] | None = None  # of bulk lanes
    daily_cap_bytes: Annotated[int, Field(ge=1_048_576)] | None = None  # then bulk waits
    pause_windows: tuple[DailyWindow, ...] = ()  # bulk waits, such as "06:00-18:30"
    time_zone: TimeZone = "UTC"  # of the site: when its day begins, and of the windows
    congestion: CongestionControl = "bbr"  # of the kernel; where it is refused, the kernel's own


class ApiConfig(Section):
    """The edge's own HTTP face."""

    host: str = "127.0.0.1"
    port: Port = 8100
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    rate_limit_per_minute: Annotated[int, Field(ge=0)] = 1000  # per account; 0 = off
    rate_limit_anonymous_per_minute: Annotated[int, Field(ge=0)] = 60  # per address; 0 = off
    jwks_file: Path | None = None  # central's public keys, to verify its tokens offline
    accounts_file: Path | None = None  # cached accounts that can sign in without central
    signing_key_file: Path | None = None  # the edge's own RSA key for tokens it issues
    metrics_allow: tuple[IPvAnyNetwork, ...] = ()  # networks beside loopback that may read /metrics
    stale_after_s: Annotated[float, Field(gt=0)] = (
        30.0  # a live value older than this is shown as stale
    )


class PublicUrls(Section):
    """Base addresses used in every link that is returned."""

    api: str | None = None
    edge: str | None = None
    ws: str | None = None
    video: str | None = None


class EdgeConfig(Section):
    """Everything an edge node needs to start."""

    site: Name
    edge_id: Name
    state_dir: Path
    log_json: bool = False
    log_level: str = "info"
    mqtt: MqttConfig = MqttConfig()
    ingest: IngestConfig = IngestConfig()
    listener: ListenerConfig = ListenerConfig()
    log: LogConfig = LogConfig()
    alarms: AlarmsConfig = AlarmsConfig()
    uplink: UplinkConfig = UplinkConfig()
    api: ApiConfig = ApiConfig()
    public_urls: PublicUrls = PublicUrls()

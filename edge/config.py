"""Configuration of the edge, parsed once into frozen sections. Every key carries its unit."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, IPvAnyNetwork, StringConstraints

from shared.configuration import Section

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


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
    uplink: UplinkConfig = UplinkConfig()
    api: ApiConfig = ApiConfig()
    public_urls: PublicUrls = PublicUrls()

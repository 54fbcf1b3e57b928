"""Configuration of central, parsed once into frozen sections. Every key carries its unit."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, IPvAnyNetwork, StringConstraints

from shared.configuration import Section

Port = Annotated[int, Field(ge=1, le=65535)]
CongestionControl = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,15}$")]


class DatabaseConfig(Section):
    """PostgreSQL 15 or later."""

    url: str  # libpq URL or key=value text; a password may come from password_file instead
    password_file: Path | None = None
    pool_size_max: Annotated[int, Field(ge=2, le=200)] = 10  # per process; the inbox has its own 4
    statement_timeout_s: Annotated[float, Field(gt=0)] = 30.0


class ApiConfig(Section):
    """The public HTTP face."""

    host: str = "127.0.0.1"
    port: Port = 8000
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    rate_limit_per_minute: Annotated[int, Field(ge=0)] = 1000  # per account; 0 = off
    rate_limit_anonymous_per_minute: Annotated[int, Field(ge=0)] = 60  # per address; 0 = off
    metrics_allow: tuple[IPvAnyNetwork, ...] = ()  # networks beside loopback that may read /metrics
    stale_after_s: Annotated[float, Field(gt=0)] = 30.0


class AuthConfig(Section):
    """Tokens and accounts."""

    signing_key_file: Path  # RSA private key, PEM
    issuer: str = "headframe-central"
    access_token_s: Annotated[int, Field(ge=60)] = 900
    refresh_token_s: Annotated[int, Field(ge=300)] = 604_800
    open_roles: tuple[str, ...] = ()


class SyncConfig(Section):
    """The listener that edges dial; always TLS with client certificates."""

    host: str = "127.0.0.1"
    port: Port = 8443
    cert_file: Path
    key_file: Path
    client_ca_file: Path
    credit_bytes: Annotated[int, Field(ge=1_048_576)] = 4_194_304  # per edge; at least one frame
    sessions_max: Annotated[int, Field(ge=1, le=10_000)] = (
        100  # edges; each may have two connections
    )
    silence_timeout_s: Annotated[float, Field(gt=0)] = 45.0
    congestion: CongestionControl = "bbr"  # of the kernel; where it is refused, the kernel's own


class PublicUrls(Section):
    """Base addresses used in every link that is returned."""

    api: str | None = None
    edge: str | None = None
    ws: str | None = None
    video: str | None = None


class WorkerConfig(Section):
    """The unpacking worker."""

    batches_per_transaction_max: Annotated[int, Field(ge=1, le=1000)] = 64
    inbox_keep_days: Annotated[int, Field(ge=1)] = 7
    metrics_host: str = "127.0.0.1"
    metrics_port: Port | None = None  # none: the web process shows what the database knows


class CentralConfig(Section):
    """Everything central needs to start."""

    database: DatabaseConfig
    auth: AuthConfig
    sync: SyncConfig
    api: ApiConfig = ApiConfig()
    worker: WorkerConfig = WorkerConfig()
    public_urls: PublicUrls = PublicUrls()
    log_json: bool = False
    log_level: str = "info"

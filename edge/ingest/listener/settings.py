"""What the configuration says of the listener: what cannot be, and what publishers are held to."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator

from edge.config import IngestConfig, ListenerConfig
from edge.ingest.listener.accounts_file import load_publishers
from edge.ingest.listener.session import Terms
from shared.errors import ConfigurationError


def listener_faults(config: ListenerConfig) -> Iterator[str]:
    """Yield what stands in the way of listening, each as one sentence that names the key."""
    if not config.enabled:
        return
    if (config.tls_cert_file is None) != (config.tls_key_file is None):
        yield "listener: tls_cert_file and tls_key_file must be given together"
    if config.client_ca_file is not None and config.tls_cert_file is None:
        yield "listener.client_ca_file: certificates of publishers need tls_cert_file, too"
    if config.tls_cert_file is None and not config.insecure and not _is_loopback(config.host):
        yield (
            f"listener.host: {config.host} can be reached by others, who could read passwords: "
            "give tls_cert_file and tls_key_file, or insecure = true if that is meant"
        )
    if config.accounts_file is None:
        yield "listener.accounts_file: nobody may publish without an account; give a file"
        return
    try:
        load_publishers(config.accounts_file)
    except ConfigurationError as error:
        yield f"listener.accounts_file: {error}"
    try:
        server_context(config)
    except ConfigurationError as error:
        yield str(error)


def check_listener(config: ListenerConfig) -> None:
    """Return if the edge can listen as configured.

    Raises:
        ConfigurationError: with everything that stands in the way.
    """
    faults = list(listener_faults(config))
    if faults:
        raise ConfigurationError("\n".join(faults))


def terms_of(config: ListenerConfig, ingest: IngestConfig) -> Terms:
    """Return what every publisher is held to."""
    return Terms(
        payload_size_max_bytes=ingest.payload_size_max_bytes,
        packet_size_max_bytes=config.packet_size_max_bytes,
        in_flight_max=config.in_flight_max,
        keepalive_max_s=config.keepalive_max_s,
        idle_timeout_s=config.idle_timeout_s,
        greeting_timeout_s=config.greeting_timeout_s,
        packet_timeout_s=config.packet_timeout_s,
    )


def server_context(config: ListenerConfig) -> ssl.SSLContext | None:
    """Return what TLS needs, or ``None`` for plain TCP.

    Raises:
        ConfigurationError: if a file cannot be used.
    """
    if config.tls_cert_file is None or config.tls_key_file is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(config.tls_cert_file, config.tls_key_file)
        if config.client_ca_file is not None:
            context.load_verify_locations(config.client_ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"listener: TLS files cannot be used: {error}") from error
    return context


def open_door(host: str, port: int, backlog: int) -> socket.socket:
    """Return a socket that listens on an address, the first that ``host`` stands for; OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    door = socket.create_server(address[:2], family=family, backlog=backlog)  # pyright: ignore[reportArgumentType] the first two are host and port
    door.setblocking(False)
    return door


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

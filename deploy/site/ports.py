"""TCP ports of a site: whether they are free, and which ones to take where nobody chose."""

import errno
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.errors import SiteUsageError
from deploy.site.private_files import write_private
from deploy.site.state_dir import StateDir, read_table


@dataclass(frozen=True, slots=True)
class PortClaim:
    """A port that the site wants, and the option that chose it."""

    option: str
    host: str
    port: int


def check_free(claims: Sequence[PortClaim]) -> None:
    """Return if every claimed port can be listened on.

    Raises:
        SiteUsageError: naming the first port that cannot, its option and the reason.
    """
    taken: dict[int, str] = {}
    for claim in claims:
        if claim.port in taken:
            raise SiteUsageError(
                f"{claim.option} {claim.port}: the same port as {taken[claim.port]}"
            )
        taken[claim.port] = claim.option
        reason = why_unusable(claim.host, claim.port)
        if reason is not None:
            raise SiteUsageError(f"{claim.option} {claim.port}: {reason}")


def why_unusable(host: str, port: int) -> str | None:
    """Return why nothing can listen on ``host`` and ``port``, or None if it can."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except socket.gaierror:
        return f"--host {host}: no such address"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} on {host} is in use by another program; choose another port"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"--host {host}: not an address of this machine"
        return f"cannot listen on {host}:{port}: {error.strerror}"
    return None


def remembered_port(state: StateDir, name: str) -> int:
    """Return the loopback port kept for ``name``, another one if that is busy by now."""
    file = state.root / "ports.json"
    kept = read_table(file)
    port = kept.get(name)
    if not isinstance(port, int) or why_unusable("127.0.0.1", port) is not None:
        port = _free_port()
        write_private(file, json.dumps({**kept, name: port}) + "\n")
    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

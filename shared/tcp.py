"""What the kernel offers for a long, fat, lossy link. Owns the socket options and their numbers.

Each option is an improvement, not a need: a kernel or a container that refuses one leaves a
connection that is slower, and says so by what is returned.
"""

import contextlib
import socket
from dataclasses import dataclass
from typing import Any, Final

_CONGESTION_NAME_MAX_BYTES: Final = 16  # TCP_CA_NAME_MAX
_TCP_NOTSENT_LOWAT: Final = 25  # Linux's number; the socket module of 3.11 does not name it


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpTuning:
    """How a connection shall treat the link.

    ``unsent_max_bytes`` waits in the kernel beyond what is in flight: nothing more urgent can
    overtake it there. ``silence_timeout_s`` without an acknowledgement ends the connection.
    """

    congestion: str  # a congestion control of the kernel, such as bbr or cubic
    unsent_max_bytes: int
    silence_timeout_s: float


def tune(connection: Any, tuning: TcpTuning) -> str | None:
    """Set the options of a socket; return the congestion control now in use.

    ``connection`` is a socket or what a transport gives for one; options of a listening socket
    pass on to what it accepts. None: there is no socket, or this system cannot say.
    """
    if connection is None:
        return None
    options: tuple[tuple[int, int | bytes], ...] = (
        (socket.TCP_NODELAY, 1),
        (_TCP_NOTSENT_LOWAT, tuning.unsent_max_bytes),
        (socket.TCP_USER_TIMEOUT, round(tuning.silence_timeout_s * 1000)),
        (socket.TCP_CONGESTION, tuning.congestion.encode("ascii")),
    )
    for option, value in options:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
    return _congestion_of(connection)


def _congestion_of(connection: Any) -> str | None:
    try:
        name: bytes = connection.getsockopt(
            socket.IPPROTO_TCP, socket.TCP_CONGESTION, _CONGESTION_NAME_MAX_BYTES
        )
    except OSError:
        return None
    return name.partition(b"\0")[0].decode("ascii", "replace") or None

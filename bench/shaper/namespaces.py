"""Two network namespaces, each with a TUN device whose other end is a file of this process.

Needs root, iproute2 and /dev/net/tun. Whatever is made here is removed again at the end of the
block, also after an error: the names hold the number of this process, so that runs at the same
time do not meet.
"""

import contextlib
import fcntl
import itertools
import os
import struct
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.errors import BenchError

EDGE_ADDRESS: Final = "10.77.0.1"
CENTRAL_ADDRESS: Final = "10.77.0.2"
MTU_BYTES: Final = 1_400  # what is left of 1,500 in a tunnel of an operator
_PREFIX_LENGTH: Final = 30
_TUN: Final = Path("/dev/net/tun")
_TUNSETIFF: Final = 0x400454CA
_TUN_WITHOUT_HEADER: Final = 0x1001  # IFF_TUN | IFF_NO_PI
_REQUEST: Final = struct.Struct("16sH22x")
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Side:
    """One end of a link: run a program there with ``command``."""

    namespace: str
    address: str
    tun: int  # file descriptor; a packet read left this side, one written arrives there

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs ``words`` in this side's namespace."""
        return ["ip", "netns", "exec", self.namespace, *words]


def missing_for_shaper() -> str | None:
    """Return what this machine lacks to shape a link; None if nothing."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    return None if _TUN.exists() else f"{_TUN} is missing (modprobe tun)"


@contextlib.contextmanager
def opened_sides() -> Generator[tuple[Side, Side]]:
    """Give the edge's and central's side for the length of the block.

    Raises:
        BenchError: they cannot be made; the message says why. Nothing is left behind.
    """
    lacking = missing_for_shaper()
    if lacking:
        raise BenchError(lacking)
    mark = f"{os.getpid()}-{next(_NUMBERS)}"
    with contextlib.ExitStack() as undo:
        edge = _open_side(undo, f"hfe{mark}", EDGE_ADDRESS)
        central = _open_side(undo, f"hfc{mark}", CENTRAL_ADDRESS)
        yield edge, central


def _open_side(undo: contextlib.ExitStack, name: str, address: str) -> Side:
    _ip("netns", "add", name)
    undo.callback(_remove_namespace, name)
    tun = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    undo.callback(os.close, tun)  # the device goes with its file
    fcntl.ioctl(tun, _TUNSETIFF, _REQUEST.pack(name.encode(), _TUN_WITHOUT_HEADER))
    _ip("link", "set", name, "netns", name)
    _ip("-n", name, "addr", "add", f"{address}/{_PREFIX_LENGTH}", "dev", name)
    _ip("-n", name, "link", "set", name, "mtu", str(MTU_BYTES), "up")
    _ip("-n", name, "link", "set", "lo", "up")
    return Side(name, address, tun)


def _remove_namespace(name: str) -> None:
    with contextlib.suppress(BenchError):  # somebody was faster: it is gone
        _ip("netns", "del", name)


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)  # noqa: S603, S607 fixed words; `ip` is where the system keeps it
    except OSError as error:
        raise BenchError(f"iproute2 is needed to make namespaces: {error}") from error
    except subprocess.CalledProcessError as error:
        raise BenchError(f"ip {' '.join(words)}: {error.stderr.strip()}") from error

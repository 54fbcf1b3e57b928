"""The two ends of a connection in memory, and the connection."""

from collections import deque
from dataclasses import dataclass, field

from central.inbox import events as inbox
from central.inbox.ports import SessionGrant
from central.inbox.session import InboxSession
from edge.uplink.session import UplinkSession
from shared.sync.frames import Hello, Role


@dataclass(slots=True)
class Wire:
    """One connection; ``up`` flows to central. Broken: nothing new enters it."""

    up: deque[bytes] = field(default_factory=deque[bytes])
    down: deque[bytes] = field(default_factory=deque[bytes])
    is_broken: bool = False


@dataclass(slots=True)
class EdgeSide:
    """One link of the edge's process: its machine and the connection it has."""

    session: UplinkSession
    served: Role | None = None  # by the newest WELCOME; None: not welcomed
    is_started: bool = True
    wire: Wire | None = None
    is_dialing: bool = False
    unwritten: deque[int] = field(default_factory=deque[int])


@dataclass(slots=True)
class CentralSide:
    """One connection as central sees it; ``running`` is a transaction, ``hello`` an opening."""

    wire: Wire
    session: InboxSession
    hello: Hello | None = None
    grant: SessionGrant | None = None
    running: inbox.StoreBatches | None = None
    boot_id: str = ""

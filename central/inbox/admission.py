"""Who may have a session beside those who have one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from central.inbox.events import EdgeIdentity
from shared.sync.frames import Role

HEARTBEATS_PER_SILENCE = 3  # two may be lost in a stall before the connection is given up
DELAY_MAX_S = 5.0  # of a heartbeat on a bad day of the link


class Verdict(StrEnum):
    """What to do with an edge that says HELLO."""

    ADMIT = "admit"
    DUPLICATE = "duplicate"  # another installation, or a copy, is connected: keep the incumbent
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Place:
    """What at most one connection holds: some lanes of one edge."""

    edge: EdgeIdentity
    role: Role


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a connection is, and when it was heard last (monotonic seconds)."""

    install_uuid: str
    boot_id: str
    heard_s: float


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """``sessions_max`` counts edges, whatever connections each has."""

    sessions_max: int
    alive_s: float  # heard within so long, a connection is no dead one


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict; ``taken_over`` are places whose connections must give way to the newcomer."""

    verdict: Verdict
    taken_over: tuple[Place, ...] = ()


def alive_after_s(silence_timeout_s: float) -> float:
    """Return within how long every living connection is heard: its heartbeat and some delay."""
    return silence_timeout_s / HEARTBEATS_PER_SILENCE + DELAY_MAX_S


def judge_newcomer(
    live: Mapping[Place, Holder], place: Place, newcomer: Holder, *, limits: AdmissionLimits
) -> Judgement:
    """Return the judgement on ``newcomer``, who wants ``place``.

    The newest connection of one process wins where lanes overlap: after a cut the edge notices
    first, while central may believe in the old connection until its silence timeout. Another
    process of the same installation is the same node started again, whose old connections are
    dead, or a copy of it: the incumbent was heard just now, and is kept.
    """
    own = {held: holder for held, holder in live.items() if held.edge == place.edge}
    if not own and len({held.edge for held in live}) >= limits.sessions_max:
        return Judgement(Verdict.BUSY)
    if any(_stands_against(holder, newcomer, limits.alive_s) for holder in own.values()):
        return Judgement(Verdict.DUPLICATE)
    taken_over = (
        held
        for held, holder in own.items()
        if held.role.overlaps(place.role) or holder.boot_id != newcomer.boot_id
    )
    return Judgement(Verdict.ADMIT, tuple(taken_over))


def _stands_against(holder: Holder, newcomer: Holder, alive_s: float) -> bool:
    if holder.install_uuid != newcomer.install_uuid:
        return True
    is_alive = newcomer.heard_s - holder.heard_s < alive_s
    return holder.boot_id != newcomer.boot_id and is_alive

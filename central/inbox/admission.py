"""Who may have a session beside those who have one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from central.inbox.events import EdgeIdentity
from shared.sync.frames import Role


class Verdict(StrEnum):
    """What to do with an edge that says HELLO."""

    ADMIT = "admit"
    DUPLICATE = "duplicate"  # another installation of this name is connected: keep the incumbent
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Place:
    """What at most one connection holds: some lanes of one edge."""

    edge: EdgeIdentity
    role: Role


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict; ``taken_over`` are places whose connections must give way to the newcomer."""

    verdict: Verdict
    taken_over: tuple[Place, ...] = ()


def judge_newcomer(
    live: Mapping[Place, str], place: Place, install_uuid: str, *, sessions_max: int
) -> Judgement:
    """Return the judgement on who wants ``place``; ``live`` maps places to install_uuids.

    The newest connection of one installation wins where lanes overlap: after a cut the edge
    notices first, while central may believe in the old connection until its silence timeout.
    ``sessions_max`` counts edges, whatever connections each has.
    """
    own = {held: incumbent for held, incumbent in live.items() if held.edge == place.edge}
    if not own and len({held.edge for held in live}) >= sessions_max:
        return Judgement(Verdict.BUSY)
    if any(incumbent != install_uuid for incumbent in own.values()):
        return Judgement(Verdict.DUPLICATE)
    return Judgement(Verdict.ADMIT, tuple(held for held in own if held.role.overlaps(place.role)))

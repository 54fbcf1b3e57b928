"""Who may have a session beside those who have one. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from central.inbox.events import EdgeIdentity


class Verdict(StrEnum):
    """What to do with an edge that says HELLO."""

    ADMIT = "admit"
    TAKE_OVER = "take_over"  # the same installation again: its old connection is dead or dying
    DUPLICATE = "duplicate"  # another installation of this name is connected: keep the incumbent
    BUSY = "busy"


def judge_newcomer(
    live: Mapping[EdgeIdentity, str],
    identity: EdgeIdentity,
    install_uuid: str,
    *,
    sessions_max: int,
) -> Verdict:
    """Return the verdict on ``identity``; ``live`` maps connected edges to install_uuids.

    The newest connection of one installation wins: after a cut the edge notices first, while
    central may believe in the old connection until its silence timeout.
    """
    incumbent = live.get(identity)
    if incumbent is None:
        return Verdict.ADMIT if len(live) < sessions_max else Verdict.BUSY
    return Verdict.TAKE_OVER if incumbent == install_uuid else Verdict.DUPLICATE

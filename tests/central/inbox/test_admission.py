"""Who is let in beside whom."""

from central.inbox.admission import Verdict, judge_newcomer
from central.inbox.events import EdgeIdentity
from tests.support.sync_frames import INSTALL_UUID, OTHER_INSTALL_UUID

EDGE = EdgeIdentity("kaduna", "edge-1")


def test_an_edge_that_nobody_knows_is_admitted() -> None:
    assert judge_newcomer({}, EDGE, INSTALL_UUID, sessions_max=1) is Verdict.ADMIT


def test_the_newest_connection_of_one_installation_wins() -> None:
    live = {EDGE: INSTALL_UUID}
    assert judge_newcomer(live, EDGE, INSTALL_UUID, sessions_max=1) is Verdict.TAKE_OVER


def test_another_installation_under_the_same_name_stays_out() -> None:
    live = {EDGE: INSTALL_UUID}
    assert judge_newcomer(live, EDGE, OTHER_INSTALL_UUID, sessions_max=9) is Verdict.DUPLICATE


def test_a_full_house_is_told_to_come_back() -> None:
    live = {EdgeIdentity("kaduna", "edge-2"): OTHER_INSTALL_UUID}
    assert judge_newcomer(live, EDGE, INSTALL_UUID, sessions_max=1) is Verdict.BUSY

"""Who is let in beside whom."""

from central.inbox.admission import Judgement, Place, Verdict, judge_newcomer
from central.inbox.events import EdgeIdentity
from shared.sync.frames import Role
from tests.support.sync_frames import INSTALL_UUID, OTHER_INSTALL_UUID

EDGE = EdgeIdentity("kaduna", "edge-1")
ALL, URGENT, BULK = (Place(EDGE, role) for role in (Role.ALL, Role.URGENT, Role.BULK))
ADMITTED = Judgement(Verdict.ADMIT)


def test_an_edge_that_nobody_knows_is_admitted() -> None:
    assert judge_newcomer({}, ALL, INSTALL_UUID, sessions_max=1) == ADMITTED


def test_the_newest_connection_of_one_installation_wins() -> None:
    live = {ALL: INSTALL_UUID}
    judged = judge_newcomer(live, ALL, INSTALL_UUID, sessions_max=1)
    assert judged == Judgement(Verdict.ADMIT, (ALL,))


def test_an_urgent_and_a_bulk_connection_leave_each_other_in_peace() -> None:
    live = {URGENT: INSTALL_UUID}
    assert judge_newcomer(live, BULK, INSTALL_UUID, sessions_max=1) == ADMITTED
    live[BULK] = INSTALL_UUID
    judged = judge_newcomer(live, BULK, INSTALL_UUID, sessions_max=1)
    assert judged == Judgement(Verdict.ADMIT, (BULK,))


def test_an_edge_that_was_upgraded_or_downgraded_takes_over_all_its_lanes() -> None:
    live = {URGENT: INSTALL_UUID, BULK: INSTALL_UUID}
    judged = judge_newcomer(live, ALL, INSTALL_UUID, sessions_max=1)
    assert judged == Judgement(Verdict.ADMIT, (URGENT, BULK))
    judged = judge_newcomer({ALL: INSTALL_UUID}, URGENT, INSTALL_UUID, sessions_max=1)
    assert judged == Judgement(Verdict.ADMIT, (ALL,))


def test_another_installation_under_the_same_name_stays_out_of_every_lane() -> None:
    live = {URGENT: INSTALL_UUID}
    for place in (ALL, URGENT, BULK):
        judged = judge_newcomer(live, place, OTHER_INSTALL_UUID, sessions_max=9)
        assert judged == Judgement(Verdict.DUPLICATE)


def test_a_full_house_is_told_to_come_back_and_edges_are_counted_not_connections() -> None:
    other = EdgeIdentity("kaduna", "edge-2")
    live = {
        Place(other, Role.URGENT): OTHER_INSTALL_UUID,
        Place(other, Role.BULK): OTHER_INSTALL_UUID,
    }
    assert judge_newcomer(live, ALL, INSTALL_UUID, sessions_max=1) == Judgement(Verdict.BUSY)
    assert judge_newcomer(live, ALL, INSTALL_UUID, sessions_max=2) == ADMITTED

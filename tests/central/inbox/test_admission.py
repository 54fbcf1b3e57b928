"""Who is let in beside whom."""

from central.inbox.admission import (
    AdmissionLimits,
    Holder,
    Judgement,
    Place,
    Verdict,
    judge_newcomer,
)
from central.inbox.events import EdgeIdentity
from shared.sync.frames import Role
from tests.support.sync_frames import INSTALL_UUID, OTHER_INSTALL_UUID

EDGE = EdgeIdentity("kaduna", "edge-1")
ALL, URGENT, BULK = (Place(EDGE, role) for role in (Role.ALL, Role.URGENT, Role.BULK))
ADMITTED = Judgement(Verdict.ADMIT)
NOW_S = 1_000.0
ALIVE_S = 20.0
HERE = Holder(INSTALL_UUID, "boot-1", NOW_S)
OTHER = Holder(OTHER_INSTALL_UUID, "boot-2", NOW_S)
ONE_EDGE, NINE_EDGES = AdmissionLimits(1, ALIVE_S), AdmissionLimits(9, ALIVE_S)


def test_an_edge_that_nobody_knows_is_admitted() -> None:
    assert judge_newcomer({}, ALL, HERE, limits=ONE_EDGE) == ADMITTED


def test_the_newest_connection_of_one_installation_wins() -> None:
    live = {ALL: HERE}
    judged = judge_newcomer(live, ALL, HERE, limits=ONE_EDGE)
    assert judged == Judgement(Verdict.ADMIT, (ALL,))


def test_an_urgent_and_a_bulk_connection_leave_each_other_in_peace() -> None:
    live = {URGENT: HERE}
    assert judge_newcomer(live, BULK, HERE, limits=ONE_EDGE) == ADMITTED
    live[BULK] = HERE
    judged = judge_newcomer(live, BULK, HERE, limits=ONE_EDGE)
    assert judged == Judgement(Verdict.ADMIT, (BULK,))


def test_an_edge_that_was_upgraded_or_downgraded_takes_over_all_its_lanes() -> None:
    live = {URGENT: HERE, BULK: HERE}
    judged = judge_newcomer(live, ALL, HERE, limits=ONE_EDGE)
    assert judged == Judgement(Verdict.ADMIT, (URGENT, BULK))
    judged = judge_newcomer({ALL: HERE}, URGENT, HERE, limits=ONE_EDGE)
    assert judged == Judgement(Verdict.ADMIT, (ALL,))


def test_another_installation_under_the_same_name_stays_out_of_every_lane() -> None:
    live = {URGENT: HERE}
    for place in (ALL, URGENT, BULK):
        judged = judge_newcomer(live, place, OTHER, limits=NINE_EDGES)
        assert judged == Judgement(Verdict.DUPLICATE)


def test_a_full_house_is_told_to_come_back_and_edges_are_counted_not_connections() -> None:
    other = EdgeIdentity("kaduna", "edge-2")
    live = {
        Place(other, Role.URGENT): OTHER,
        Place(other, Role.BULK): OTHER,
    }
    assert judge_newcomer(live, ALL, HERE, limits=ONE_EDGE) == Judgement(Verdict.BUSY)
    assert judge_newcomer(live, ALL, HERE, limits=NINE_EDGES) == ADMITTED


def test_a_copy_of_a_node_stays_out_while_the_other_is_heard() -> None:
    live = {URGENT: Holder(INSTALL_UUID, "boot-1", NOW_S - ALIVE_S + 1)}
    copy = Holder(INSTALL_UUID, "boot-2", NOW_S)
    for place in (ALL, URGENT, BULK):
        judged = judge_newcomer(live, place, copy, limits=NINE_EDGES)
        assert judged == Judgement(Verdict.DUPLICATE)


def test_a_node_that_was_started_again_takes_over_once_the_old_process_is_silent() -> None:
    live = {
        URGENT: Holder(INSTALL_UUID, "boot-1", NOW_S - ALIVE_S),
        BULK: Holder(INSTALL_UUID, "boot-1", NOW_S - ALIVE_S - 5),
    }
    started = Holder(INSTALL_UUID, "boot-2", NOW_S)
    judged = judge_newcomer(live, URGENT, started, limits=NINE_EDGES)
    assert judged == Judgement(Verdict.ADMIT, (URGENT, BULK))

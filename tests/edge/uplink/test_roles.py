"""A session that serves some of the lanes only."""

import msgspec
import pytest

from edge.uplink.events import AdoptSession, Committed, HangUp, Opened, Reconcile, SendReport, Tick
from edge.uplink.session import REWOUND_RETRY_S
from edge.uplink.states import State
from shared.errors import PeerViolationError
from shared.sync.frames import Ack, LaneExtent, Role
from shared.sync.ranges import Ranges
from tests.support.sync_frames import CENTRAL_UUID, TELEMETRY, make_hello, make_welcome
from tests.support.uplink_story import Story, reads

ALERTS = 0
LANES = {ALERTS: LaneExtent(1, 3), TELEMETRY: LaneExtent(1, 9)}


def greeting(role: Role) -> Story:
    story = Story(role)
    hello = msgspec.structs.replace(make_hello(9, series_count=4, role=role), lanes=LANES)
    story.feed(Tick(), Opened(hello))
    return story


def test_an_urgent_connection_reads_urgent_lanes_and_asks_for_no_series() -> None:
    story = greeting(Role.URGENT)
    actions = story.hear(make_welcome(role=Role.URGENT))
    assert actions[0] == AdoptSession(1, CENTRAL_UUID, Role.URGENT)
    assert [a.lane for a in actions if isinstance(a, Reconcile)] == [ALERTS]
    assert [(r.lane, r.series_from) for r in reads(actions)] == [(ALERTS, None)]
    story.feed(Committed(TELEMETRY, 10))
    assert story.session.ledger
    assert set(story.session.ledger.lanes) == {ALERTS}


def test_a_bulk_connection_reads_the_others_with_their_series_and_does_not_report() -> None:
    story = greeting(Role.BULK)
    actions = story.hear(make_welcome(role=Role.BULK))
    assert [(r.lane, r.series_from) for r in reads(actions)] == [(TELEMETRY, 1)]
    assert not any(isinstance(action, SendReport) for action in actions)
    deadline_s = story.session.deadline_s
    assert deadline_s is not None
    assert deadline_s > story.now_s  # a report that is never due wakes nobody up


def test_a_verdict_on_a_lane_of_the_other_connection_is_a_violation() -> None:
    story = greeting(Role.URGENT)
    story.hear(make_welcome(role=Role.URGENT))
    with pytest.raises(PeerViolationError):
        story.hear(Ack(lane=TELEMETRY, ranges=Ranges.of((1, 1)), credit_bytes=0))


def test_an_older_central_gets_every_lane_on_the_urgent_connection() -> None:
    story = greeting(Role.URGENT)
    actions = story.hear(make_welcome())
    assert actions[0] == AdoptSession(1, CENTRAL_UUID, Role.ALL)
    assert story.session.ledger
    assert set(story.session.ledger.lanes) == {ALERTS, TELEMETRY}


@pytest.mark.parametrize(
    ("asked", "served"),
    [(Role.BULK, Role.ALL), (Role.BULK, Role.URGENT), (Role.ALL, Role.BULK)],
)
def test_a_welcome_for_other_lanes_ends_the_session_for_minutes(asked: Role, served: Role) -> None:
    story = greeting(asked)
    actions = story.hear(make_welcome(role=served))
    assert actions == [HangUp()]
    assert story.session.state is State.CLOSING
    assert REWOUND_RETRY_S >= 60.0
    assert story.session.error == f"central serves {served} lanes where {asked} was asked"


def test_what_came_through_the_other_connection_is_no_sign_of_an_old_image() -> None:
    story = greeting(Role.URGENT)
    welcome = make_welcome(role=Role.URGENT, series_known=7)  # HELLO said 4
    story.hear(welcome)
    assert story.session.state is State.STREAMING

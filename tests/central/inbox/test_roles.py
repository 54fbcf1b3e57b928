"""A session of central that serves some of the lanes only."""

import pytest

from central.inbox.events import Granted, NoteEnding
from central.inbox.states import State
from shared.errors import PeerViolationError
from shared.sync.frames import FRAME_SIZE_MAX_BYTES, Role, SeriesFrame, Welcome
from shared.sync.ranges import Ranges
from tests.support.inbox_story import Story, frames, make_grant, transactions
from tests.support.sync_frames import TELEMETRY, make_batch, make_hello, make_series

HELD = Ranges.of((1, 9))


def welcomed(role: Role, *, last_seq: int = 9, series_known: int = 0) -> tuple[Story, Welcome]:
    story = Story()
    story.hear(make_hello(last_seq, role=role))
    (welcome,) = frames(story.feed(Granted(make_grant(HELD, series_known=series_known), 0)))
    assert isinstance(welcome, Welcome)
    return story, welcome


def test_welcome_tells_of_the_lanes_that_are_served_and_of_no_others() -> None:
    assert welcomed(Role.BULK)[1].lanes == {TELEMETRY: HELD}
    _, urgent = welcomed(Role.URGENT)
    assert (urgent.lanes, urgent.role) == ({}, Role.URGENT)
    assert urgent.credit_bytes == FRAME_SIZE_MAX_BYTES


def test_an_urgent_connection_takes_alerts_and_nothing_bulky() -> None:
    story, _ = welcomed(Role.URGENT)
    assert transactions(story.hear(make_batch(1, lane=0)))
    with pytest.raises(PeerViolationError, match="lane 2 on a connection for urgent lanes"):
        story.hear(make_batch(10))
    with pytest.raises(PeerViolationError, match="catalogue entries"):
        story.hear(SeriesFrame(entries=make_series(1, 1)))


def test_a_bulk_connection_takes_no_alerts() -> None:
    story, _ = welcomed(Role.BULK)
    with pytest.raises(PeerViolationError, match="lane 0 on a connection for bulk lanes"):
        story.hear(make_batch(1, lane=0))


def test_what_the_other_connection_brought_since_hello_is_no_old_image() -> None:
    story, _ = welcomed(Role.URGENT, last_seq=5, series_known=3)  # the store holds 1 to 9
    assert story.session.state is State.STREAMING


def test_an_old_image_is_recognised_on_the_connection_that_serves_the_lane() -> None:
    story = Story()
    story.hear(make_hello(5, role=Role.BULK))
    actions = story.feed(Granted(make_grant(HELD), 0))
    assert any(isinstance(action, NoteEnding) and action.code == "rewound" for action in actions)

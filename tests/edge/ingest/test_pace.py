"""When silence means that the broker waits for acknowledgements."""

from edge.ingest.pace import ANSWER_S, ROUNDS_TO_BELIEVE, SILENCE_S, Pace


def rounds(pace: Pace, count: int, *, silent_s: float, answer_s: float, now_s: float = 0.0) -> None:
    for _ in range(count):
        pace.closed(silent_s=silent_s)
        pace.acknowledged(now_s)
        pace.arrived(now_s + answer_s)
        now_s += 1.0


def test_a_broker_that_is_silent_and_then_answers_at_once_waits_for_us() -> None:
    pace = Pace()
    rounds(pace, ROUNDS_TO_BELIEVE - 1, silent_s=SILENCE_S, answer_s=ANSWER_S / 2)
    assert not pace.broker_waits
    rounds(pace, 1, silent_s=SILENCE_S, answer_s=ANSWER_S / 2)
    assert pace.broker_waits


def test_a_quiet_site_does_not_look_like_a_waiting_broker() -> None:
    pace = Pace()
    rounds(pace, 10, silent_s=1.0, answer_s=0.5)
    assert not pace.broker_waits


def test_a_steady_stream_does_not_look_like_a_waiting_broker() -> None:
    pace = Pace()
    rounds(pace, 10, silent_s=SILENCE_S / 10, answer_s=SILENCE_S / 10)
    assert not pace.broker_waits


def test_a_broker_that_sends_during_the_commit_has_room() -> None:
    pace = Pace()
    rounds(pace, 9, silent_s=SILENCE_S, answer_s=ANSWER_S / 2)
    pace.closed(silent_s=SILENCE_S)
    pace.arrived(99.0)
    assert not pace.broker_waits


def test_what_was_believed_long_is_doubted_after_some_slow_answers() -> None:
    pace = Pace()
    rounds(pace, 100, silent_s=SILENCE_S, answer_s=ANSWER_S / 2)
    rounds(pace, 1, silent_s=SILENCE_S, answer_s=1.0)
    assert pace.broker_waits
    rounds(pace, 10, silent_s=SILENCE_S, answer_s=1.0)
    assert not pace.broker_waits

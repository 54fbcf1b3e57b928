"""How much an unpacker takes at once."""

from central.inbox.pacing import PAUSE_FIRST_S, PAUSE_MAX_S, Pace


def test_after_a_failure_one_batch_is_tried_alone_after_a_pause() -> None:
    assert Pace(64).after_failure() == Pace(1, PAUSE_FIRST_S)


def test_pauses_double_up_to_the_limit() -> None:
    pace, pauses = Pace(64), list[float]()
    for _ in range(8):
        pace = pace.after_failure()
        pauses.append(pace.pause_s)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, PAUSE_MAX_S, PAUSE_MAX_S]


def test_successes_bring_back_the_full_pace_without_a_pause() -> None:
    pace = Pace(64).after_failure()
    taken: list[int] = []
    for _ in range(7):
        pace = pace.after_success(50)
        taken.append(pace.batches)
    assert taken == [2, 4, 8, 16, 32, 50, 50]
    assert pace.pause_s == 0

"""An even pace that never hides what it gave up."""

from deploy.sim.pacing import DEBT_MAX_S, Pace


def test_grants_the_rate_over_time() -> None:
    pace = Pace(rate_per_s=50.0, start_s=100.0)
    granted = [pace.due(100.0 + step * 0.1) for step in range(1, 11)]
    assert sum(granted) == 50
    assert max(granted) <= 6


def test_a_long_stall_is_given_up_and_counted() -> None:
    pace = Pace(rate_per_s=10.0, start_s=0.0)
    # 100 s at 10/s are 1,000 messages; 2 s of them are still sent.
    assert pace.due(100.0) == DEBT_MAX_S * 10
    assert pace.given_up == 980
    assert pace.due(100.0) == 0


def test_tells_when_the_next_message_falls_due() -> None:
    pace = Pace(rate_per_s=4.0, start_s=10.0)
    assert pace.next_due_s() == 10.25

"""The rate limiter, by hand and against a plain model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.web.limits import UNLIMITED, WindowLimiter


def limiter(limit: int = 3, window_s: float = 60.0, keys_max: int = 100) -> WindowLimiter:
    return WindowLimiter(limit=limit, window_s=window_s, keys_max=keys_max)


def test_counts_down_and_refuses_after_the_limit() -> None:
    ours = limiter(limit=3)
    verdicts = [ours.take("a", 10.0) for _ in range(4)]
    assert [(v.allowed, v.remaining) for v in verdicts] == [
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
    ]


def test_says_when_all_are_available_again() -> None:
    ours = limiter(limit=3)
    ours.take("a", 10.0)
    # The window began at 10 s and lasts 60 s: at 29.5 s there are 40.5 s left, said as 41.
    assert ours.take("a", 29.5).reset_s == 41


def test_a_window_ends_sharply() -> None:
    ours = limiter(limit=1)
    ours.take("a", 10.0)
    assert not ours.take("a", 69.999).allowed
    assert ours.take("a", 70.0).allowed


def test_one_key_does_not_use_up_another() -> None:
    ours = limiter(limit=1)
    ours.take("a", 0.0)
    assert ours.take("b", 0.0).allowed


def test_looking_costs_nothing() -> None:
    ours = limiter(limit=1)
    assert [ours.peek("a", 0.0).remaining for _ in range(3)] == [1, 1, 1]
    ours.take("a", 0.0)
    assert not ours.peek("a", 0.0).allowed


def test_what_is_given_back_can_be_taken_again() -> None:
    ours = limiter(limit=1)
    ours.take("a", 0.0)
    ours.give_back("a")
    ours.give_back("a")  # more than was taken: ignored
    assert [ours.take("a", 0.0).allowed for _ in range(2)] == [True, False]


def test_a_forgotten_key_starts_anew() -> None:
    ours = limiter(limit=1)
    ours.take("a", 0.0)
    ours.forget("a")
    assert ours.take("a", 0.0).allowed


def test_no_limit_is_no_limit() -> None:
    ours = limiter(limit=0)
    assert {ours.take("a", 0.0), ours.peek("a", 0.0)} == {UNLIMITED}
    assert len(ours) == 0


def test_a_full_table_forgives_the_window_that_began_first() -> None:
    ours = limiter(limit=1, keys_max=2)
    for now_s, key in enumerate("abc"):
        ours.take(key, float(now_s))
    assert len(ours) == 2
    assert [ours.peek(key, 3.0).allowed for key in "abc"] == [True, False, False]


@pytest.mark.parametrize(
    ("limit", "window_s", "keys_max"), [(-1, 60.0, 1), (1, 0.0, 1), (1, 60.0, 0)]
)
def test_senseless_limits_are_a_programmers_error(
    limit: int, window_s: float, keys_max: int
) -> None:
    with pytest.raises(ValueError, match="limit"):
        limiter(limit, window_s, keys_max)


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 30.0)), max_size=80),
    limit=st.integers(1, 5),
)
def test_never_more_than_the_limit_and_never_refused_without_cause(
    steps: list[tuple[str, float]], limit: int
) -> None:
    ours = limiter(limit=limit)
    allowed_at: dict[str, list[float]] = {}
    now_s = 0.0
    for key, wait_s in steps:
        now_s += wait_s
        verdict = ours.take(key, now_s)
        taken = allowed_at.setdefault(key, [])
        recent = [at for at in taken if now_s - at < 60.0]
        if verdict.allowed:
            taken.append(now_s)
            # Two windows can meet inside any 60 s, three cannot.
            assert len(recent) + 1 <= 2 * limit
        else:
            # Refused only if this very window, at most 60 s old, is used up.
            assert len(recent) >= limit
        assert 0 <= verdict.remaining <= limit
        assert 0 <= verdict.reset_s <= 60


@given(keys=st.lists(st.integers(0, 1000), max_size=200), keys_max=st.integers(1, 20))
def test_memory_is_bounded(keys: list[int], keys_max: int) -> None:
    ours = limiter(keys_max=keys_max)
    for now_s, key in enumerate(keys):
        ours.take(str(key), float(now_s))
        assert len(ours) <= keys_max

"""The window of identities: what it remembers, for how long, and what a restart gives back."""

from collections.abc import Set

from edge.ingest.intake import JUDGED_SAMPLES_MAX, WAITING_MESSAGES_MAX
from edge.ingest.seen import (
    GENERATION_SIZE,
    GENERATIONS,
    REWRITTEN_AFTER,
    Identity,
    SeenWindow,
    identity_of,
)
from edge.log.recent import MESSAGES_MIN
from shared.domain.samples import ValueType

VALUES = [("a", ValueType.NUMBER, 1.0)]


def test_number_and_time_are_the_identity() -> None:
    assert identity_of(3, 7, 1_000, VALUES) == (3, 7, 1_000)


def test_what_is_missing_is_replaced_by_a_negative_number_made_of_the_values() -> None:
    other = [("a", ValueType.NUMBER, 2.0)]
    for seq, ts_ms in ((7, None), (None, 1_000)):
        identity = identity_of(3, seq, ts_ms, VALUES)
        assert identity is not None
        assert min(identity) < 0
        assert identity == identity_of(3, seq, ts_ms, list(VALUES))
        assert identity != identity_of(3, seq, ts_ms, other)


def test_nothing_given_is_no_identity() -> None:
    assert identity_of(3, None, None, VALUES) is None


def test_the_window_holds_at_least_three_generations_and_at_most_four() -> None:
    window = SeenWindow(generation_size=10)
    for number in range(1_000):
        window.add((1, number, 0))
        if window.is_due:
            window.turn()
        assert all((1, kept, 0) in window for kept in range(max(0, number - 29), number + 1))
        assert len(window) <= 40


def test_a_turn_gives_the_generation_whose_last_words_must_be_rewritten() -> None:
    window = SeenWindow(generation_size=1)
    given: list[Set[Identity]] = []
    for number in range(3):
        window.add((1, number, 0))
        given.append(window.turn())
    assert given == [set(), {(1, 0, 0)}, {(1, 1, 0)}]


def test_what_is_rewritten_is_still_in_the_tail_of_the_log() -> None:
    assert REWRITTEN_AFTER * GENERATION_SIZE < MESSAGES_MIN


def test_all_that_can_be_redelivered_is_in_the_window() -> None:
    assert (GENERATIONS - 1) * GENERATION_SIZE > 2 * JUDGED_SAMPLES_MAX + WAITING_MESSAGES_MAX

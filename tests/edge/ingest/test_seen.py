"""The window of identities: what it remembers, for how long, and what a restart gives back."""

from edge.ingest.seen import SeenWindow, identity_of
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


def test_the_window_holds_at_least_two_generations_and_at_most_three() -> None:
    window = SeenWindow(generation_size=10)
    for number in range(1_000):
        window.add((1, number, 0))
        if window.is_due:
            window.turn()
        assert all((1, kept, 0) in window for kept in range(max(0, number - 19), number + 1))
        assert len(window) <= 30


def test_a_turn_tells_what_will_be_forgotten_by_the_next_but_one() -> None:
    window = SeenWindow(generation_size=1)
    window.add((1, 0, 0))
    assert window.turn() == set()  # the generation of 0 is now the middle one
    window.add((1, 1, 0))
    assert window.turn() == {(1, 0, 0)}

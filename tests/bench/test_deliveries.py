"""What was shown against what was sent: newer values may replace others, the last one stays."""

import pytest

from bench.deliveries import delivery, first_shown, latencies_ms


def test_everything_shown_is_whole() -> None:
    found = delivery({"a": 2, "b": 1}, [("a", 0), ("a", 1), ("b", 0)])
    assert (found.conflated, found.behind, found.strangers, found.is_whole) == (0, 0, 0, True)


def test_values_replaced_by_newer_ones_are_conflated_and_not_lost() -> None:
    found = delivery({"a": 5}, [("a", 1), ("a", 4)])
    assert (found.conflated, found.is_whole) == (3, True)


def test_a_source_without_its_last_value_is_behind() -> None:
    found = delivery({"a": 5, "b": 1}, [("a", 0), ("a", 2), ("b", 0)])
    assert (found.conflated, found.behind, found.is_whole) == (1, 1, False)


def test_a_silent_source_is_behind_unless_it_sent_nothing() -> None:
    assert delivery({"a": 3, "b": 0}, []).behind == 1


@pytest.mark.parametrize("stranger", [("a", 2), ("a", -1), ("c", 0)])
def test_a_number_that_nobody_sent_is_a_stranger(stranger: tuple[str, int]) -> None:
    found = delivery({"a": 2}, [("a", 1), stranger])
    assert (found.strangers, found.behind, found.is_whole) == (1, 0, False)


def test_latency_is_from_a_samples_own_time_until_it_was_seen() -> None:
    taken_ms = {("a", 0): 1_000, ("b", 0): 1_005}
    assert latencies_ms(taken_ms, {("a", 0): 1_030, ("b", 0): 1_045}, 0) == [30.0, 40.0]


def test_samples_of_the_warm_up_and_of_unknown_time_have_no_latency() -> None:
    taken_ms = {("a", 0): 999, ("a", 1): 1_000}
    seen_ms = {("a", 0): 1_500, ("a", 1): 1_600, ("a", 2): 1_700}
    assert latencies_ms(taken_ms, seen_ms, 1_000) == [600.0]


def test_a_cell_shows_the_number_of_a_sample_as_people_read_it() -> None:
    row = "kaduna/sensor/a/reading_number"
    shown = [(row, "0", 10.0), (row, "999", 20.0), (row, "1,204", 30.0)]
    assert first_shown(shown) == {("a", 0): 10, ("a", 999): 20, ("a", 1204): 30}


def test_a_number_shown_again_counts_from_the_first_time() -> None:
    row = "kaduna/sensor/a/reading_number"
    assert first_shown([(row, "7", 10.0), (row, "8", 20.0), (row, "7", 30.0)])[("a", 7)] == 10


def test_other_metrics_are_left_out() -> None:
    assert first_shown([("kaduna/sensor/a/reading_1_c", "7", 10.0)]) == {}


@pytest.mark.parametrize("text", ["", "7.5", "1.00e9", "\N{MINUS SIGN}1", "yes", "²"])
def test_a_text_that_is_no_number_of_a_sample_is_of_nobody(text: str) -> None:
    shown = first_shown([("kaduna/sensor/a/reading_number", text, 10.0)])
    assert delivery({"a": 1}, shown).strangers == 1

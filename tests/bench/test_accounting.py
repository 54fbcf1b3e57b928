"""Every sample carries its number: what is missing, doubled or foreign shows."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.accounting import account


def numbers(*values: float) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def test_all_there_once_is_whole_in_any_order() -> None:
    found = account({"a": 3, "b": 2}, {"a": numbers(2, 0, 1), "b": numbers(0, 1)})
    assert found.is_whole
    assert (found.sent, found.stored) == (5, 5)


def test_missing_numbers_are_lost() -> None:
    found = account({"a": 4}, {"a": numbers(0, 3)})
    assert (found.lost, found.is_whole) == (2, False)


def test_a_source_that_never_arrived_is_lost_whole() -> None:
    assert account({"a": 4}, {}).lost == 4


def test_a_number_found_again_is_doubled_and_hides_no_loss() -> None:
    found = account({"a": 3}, {"a": numbers(0, 0, 2)})  # three rows for three sent, yet 1 is lost
    assert (found.doubled, found.lost) == (1, 1)


@pytest.mark.parametrize("stranger", [3.0, -1.0, 0.5, float("nan")])
def test_a_number_that_nobody_sent_is_a_stranger(stranger: float) -> None:
    found = account({"a": 3}, {"a": numbers(0, 1, 2, stranger)})
    assert (found.strangers, found.lost, found.doubled) == (1, 0, 0)


def test_an_unknown_source_is_a_stranger() -> None:
    assert account({}, {"b": numbers(0, 1)}).strangers == 2


@pytest.mark.parametrize("seed", range(20))
def test_the_books_balance(seed: int) -> None:
    rng = random.Random(seed)  # pytest names the seed of a failing test
    sent = {f"s{i}": rng.randrange(50) for i in range(10)}
    stored = {
        source: numbers(*(rng.randrange(count) for _ in range(rng.randrange(60))))
        for source, count in sent.items()
        if count
    }
    found = account(sent, stored)
    assert found.sent == found.stored - found.doubled + found.lost

"""How what arrives is cut into transactions."""

import pytest

from central.inbox.gathering import (
    TRANSACTION_BATCHES_MAX,
    TRANSACTION_SIZE_MAX_BYTES,
    Gathering,
    Work,
)
from shared.sync.frames import BATCH_COST_BYTES, SERIES_COST_BYTES
from tests.support.sync_frames import make_batch, make_series


def gathered(*seqs: int, size_bytes: int = 4) -> Gathering:
    gathering = Gathering()
    for seq in seqs:
        gathering.add_batch(make_batch(seq, bytes(size_bytes)))
    return gathering


def seqs(work: Work | None) -> list[int]:
    return [batch.seq for batch in work.batches] if work else []


def test_one_transaction_at_a_time() -> None:
    gathering = gathered(1)
    running = gathering.begin()
    gathering.add_batch(make_batch(2))
    assert gathering.begin() is running
    gathering.settle()
    assert seqs(gathering.begin()) == [2]


def test_nothing_gathered_is_no_transaction() -> None:
    assert Gathering().begin() is None


def test_bounded_in_number_and_in_bytes() -> None:
    gathering = gathered(*range(1, TRANSACTION_BATCHES_MAX + 2))
    assert len(seqs(gathering.begin())) == TRANSACTION_BATCHES_MAX
    size_bytes = TRANSACTION_SIZE_MAX_BYTES // 2  # and the flat price: one and a half fit
    assert seqs(gathered(1, 2, size_bytes=size_bytes).begin()) == [1]


def test_cost_is_what_the_edge_paid() -> None:
    work = Work(make_series(1, 2), (make_batch(1, bytes(10)),))
    assert work.cost_bytes == 2 * SERIES_COST_BYTES + 10 + BATCH_COST_BYTES


def test_what_is_repeated_comes_before_what_came_later() -> None:
    gathering = gathered(1)
    gathering.begin()
    gathering.add_batch(make_batch(2))
    gathering.repeat()
    assert seqs(gathering.begin()) == [1]


def test_halves_keep_their_order_and_a_catalogue_goes_first() -> None:
    gathering = gathered(1, 2, 3)
    gathering.add_series(make_series(1, 1))
    gathering.begin()
    order: list[list[int]] = []
    for divides in (True, False, True, False, True, False, False):
        work = gathering.begin()
        assert work is not None
        if divides:
            gathering.divide()
        else:
            order.append(seqs(gathering.settle()))
    assert order == [[], [1], [2], [3]]


def test_a_single_batch_cannot_be_halved() -> None:
    gathering = gathered(1)
    gathering.begin()
    with pytest.raises(ValueError, match="single batch"):
        gathering.divide()

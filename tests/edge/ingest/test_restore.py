"""What ingest knows after a restart."""

import numpy as np

from edge.ingest.restore import IngestState, restore_ingest
from edge.ingest.seen import GENERATION_SIZE
from edge.log.records import RecentTail
from shared.domain.samples import Quality

TOPIC = "mine/v1/kaduna/sensor/gas-1/telemetry"
NOW_MS = 1_700_000_000_000


def restored(*messages: tuple[int, int, int]) -> IngestState:
    columns = np.array(messages, dtype=np.int64).reshape(-1, 3)
    tail = RecentTail(((1, TOPIC),), columns[:, 0], columns[:, 1], columns[:, 2])
    return restore_ingest((), tail, series_max=10, now_ms=NOW_MS)


def test_what_was_seen_is_seen() -> None:
    state = restored((1, 7, 1_000), (1, -5, 2_000))
    assert (1, 7, 1_000) in state.seen
    assert (1, -5, 2_000) in state.seen
    assert (1, 8, 1_000) not in state.seen


def test_the_next_number_is_judged_by_the_last() -> None:
    state = restored((1, 7, 1_000), (1, 9, 2_000))
    source = state.catalogue.known_source(TOPIC)
    assert source is not None
    assert source.sequence.advance(8, 1_500).recovered  # 8 was an open gap
    assert source.sequence.advance(12, 3_000).quality == Quality.GAP_BEFORE


def test_a_time_that_was_refused_does_not_become_the_time_of_the_source() -> None:
    state = restored((1, 7, NOW_MS + 10**12))
    source = state.catalogue.known_source(TOPIC)
    assert source is not None
    assert source.newest_ms == NOW_MS


def test_messages_of_a_source_that_is_not_known_any_more_are_still_duplicates() -> None:
    assert (9, 1, 1) in restored((9, 1, 1)).seen


def test_a_long_tail_is_remembered_to_its_newest_three_generations() -> None:
    size = 4 * GENERATION_SIZE + 10
    columns = np.arange(size, dtype=np.int64)
    tail = RecentTail((), np.ones(size, np.int64), columns, columns)
    state = restore_ingest((), tail, series_max=1, now_ms=NOW_MS)
    newest = size - 1
    assert (1, newest, newest) in state.seen
    assert (1, newest - 3 * GENERATION_SIZE, newest - 3 * GENERATION_SIZE) in state.seen
    assert (1, 0, 0) not in state.seen

"""The log as the rest of the edge uses it, on real files."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import LogError, LogFullError
from edge.log import journal as journal_module
from edge.log.quarantine import open_quarantine_reader
from edge.log.records import Committed, QuarantineEntry
from shared.codec.body import decode_body
from shared.domain.samples import ValueType
from shared.sync.ranges import Ranges
from tests.support.edge_log import (
    SEGMENT_SIZE_BYTES,
    SOURCE_1,
    T0_MS,
    append_together,
    append_values,
    fill,
    make_batch,
    make_series,
    noise_batch,
    open_journal,
    opened,
    read_all,
    small_config,
    values_of,
)

LANE = 2


async def test_numbers_are_contiguous_from_one_and_survive_restarts(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        assert await journal.append(make_batch(1.0)) == Committed(LANE, 1, 1)
        assert await journal.append(make_batch(2.0)) == Committed(LANE, 2, 2)
    async with opened(tmp_path) as journal:
        assert await journal.append(make_batch(3.0)) == Committed(LANE, 3, 3)
        batches = await read_all(journal)
    assert [batch.seq for batch in batches] == [1, 2, 3]
    assert values_of(batches) == [1.0, 2.0, 3.0]


async def test_what_comes_together_is_committed_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_together(journal, [make_batch(float(n)) for n in range(500)])
        batches = await read_all(journal)
    assert sorted(map(float, values_of(batches))) == [float(n) for n in range(500)]
    assert len(batches) < 10  # the first goes alone; all others wait while it is written


async def test_a_large_batch_becomes_several_with_one_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        committed = await journal.append(noise_batch(1, 20_000))
        assert committed == Committed(LANE, 1, 3)  # 8,192 + 8,192 + 3,616
        assert [batch.n for batch in await read_all(journal)] == [8_192, 8_192, 3_616]


async def test_the_uplink_hears_of_each_commit_on_the_loop(tmp_path: Path) -> None:
    heard: list[Committed] = []
    async with opened(tmp_path) as journal:
        journal.on_commit(heard.append)
        await append_together(journal, [make_batch(1.0), make_batch(2.0)])
        await journal.append(make_batch())  # nothing in it: nothing to hear
    assert [one.first_seq for one in heard] == [one.last_seq for one in heard]
    assert heard[-1].last_seq == len(heard)


async def test_catalogue_comes_back_at_open(tmp_path: Path) -> None:
    entries = (make_series(1), make_series(2, ValueType.TEXT))
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0, new_series=entries))
        assert await journal.read_series(2) == [entries[1]]
    async with opened(tmp_path) as journal:
        assert journal.series == list(entries)
        assert journal.state().series == 2


async def test_catalogue_of_a_refused_batch_is_kept_for_the_next(tmp_path: Path) -> None:
    refused = replace(make_batch(1.0), value=["text"])
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match="expected a number"):
            await journal.append(refused)
        await journal.append(make_batch(2.0, new_series=()))
    async with opened(tmp_path) as journal:
        assert journal.series == [make_series(1)]
        assert values_of(await read_all(journal)) == [2.0]


async def test_one_bad_batch_in_a_group_harms_no_other(tmp_path: Path) -> None:
    good = [make_batch(float(n)) for n in range(20)]
    bad = replace(make_batch(0.0), ts_ms=[2**63])
    outcomes: list[object] = []

    async def attempt(one: int) -> None:
        try:
            outcomes.append(await journal.append([*good, bad][one]))
        except ValueError as error:
            outcomes.append(error)

    async with opened(tmp_path) as journal:
        async with asyncio.TaskGroup() as group:
            for one in range(21):
                group.create_task(attempt(one))
        stored = values_of(await read_all(journal))
    assert sum(isinstance(outcome, ValueError) for outcome in outcomes) == 1
    assert sorted(map(float, stored)) == [float(n) for n in range(20)]


async def test_seen_messages_come_back_oldest_first_with_their_sources(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for seq in range(3):
            await journal.append(make_batch(1.0, seen=[(1, seq, T0_MS + seq)]))
        await journal.append(make_batch(seen=[(1, -(2**63), -1)]))  # without a sample
    async with opened(tmp_path) as journal:
        assert journal.recent.sources == (SOURCE_1,)
        assert list(journal.recent) == [
            (1, 0, T0_MS), (1, 1, T0_MS + 1), (1, 2, T0_MS + 2), (1, -(2**63), -1)
        ]  # fmt: skip


async def test_state_counts_what_is_owed(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for n in range(4):
            await journal.append(make_batch(*range(n + 1), at_ms=T0_MS + n))
        await journal.acknowledge(LANE, Ranges.of((1, 2)))
        lane = journal.state().lanes[LANE]
        assert (lane.backlog_batches, lane.backlog_samples) == (2, 7)  # 3 and 4 samples
        assert lane.oldest_unacked_ms == T0_MS + 2
        assert lane.owed == Ranges.of((3, 4))
        await journal.acknowledge(LANE, Ranges.of((4, 4)))
        assert journal.state().lanes[LANE].owed == Ranges.of((3, 3))
    async with opened(tmp_path) as journal:
        assert journal.state().lanes[LANE] == replace(
            lane,
            acked=Ranges.of((1, 2), (4, 4)),
            backlog_batches=1,
            backlog_samples=3,
            backlog_bytes=journal.state().lanes[LANE].backlog_bytes,
            size_bytes=journal.state().lanes[LANE].size_bytes,
        )
        await journal.acknowledge(LANE, Ranges.of((3, 3)))
        assert journal.state().lanes[LANE].oldest_unacked_ms is None


async def test_backlog_bytes_are_those_of_the_bodies(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0, 3.0)
        bodies = [len(batch.body) for batch in await read_all(journal)]
        await journal.acknowledge(LANE, Ranges.of((2, 2)))
        assert journal.state().lanes[LANE].backlog_bytes == bodies[0] + bodies[2]


async def test_what_central_no_longer_holds_is_owed_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0, 3.0)
        await journal.acknowledge(LANE, Ranges.of((1, 3)))
        await journal.reconcile(LANE, Ranges.of((1, 1)))  # central was restored from a backup
        assert journal.state().lanes[LANE].owed == Ranges.of((2, 3))
        assert journal.state().lanes[LANE].backlog_batches == 2


async def test_another_central_is_owed_everything(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0)
        await journal.set_session(1, "a" * 32)
        await journal.acknowledge(LANE, Ranges.of((1, 2)))
        await journal.set_session(1, "a" * 32)
        assert not journal.state().lanes[LANE].owed
        await journal.set_session(1, "b" * 32)
        assert journal.state().lanes[LANE].owed == Ranges.of((1, 2))
    async with opened(tmp_path) as journal:
        assert (journal.identity().epoch, journal.identity().central_uuid) == (1, "b" * 32)


async def test_numbers_that_central_has_from_a_lost_future_are_not_given_again(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0)
        await journal.reconcile(LANE, Ranges.of((1, 3), (6, 9)))  # an old image was restored
        assert (await journal.append(make_batch(3.0))).first_seq == 10
        assert journal.state().lanes[LANE].lost == Ranges.of((4, 5))
        with pytest.raises(LogError, match="claims to hold"):
            await journal.acknowledge(LANE, Ranges.of((2**60, 2**60)))
    async with opened(tmp_path) as journal:
        assert [batch.seq for batch in await read_all(journal)] == [1, 2, 10]


async def test_reading_stops_at_the_size_but_gives_at_least_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for n in range(3):
            await journal.append(noise_batch(n, 100))
        whole = await read_all(journal)
        two_bytes = len(whole[0].body) + len(whole[1].body)
        assert [b.seq for b in await journal.read(LANE, 1, 3, two_bytes)] == [1, 2]
        assert [b.seq for b in await journal.read(LANE, 2, 3, 1)] == [2]
        assert await journal.read(LANE, 4, 9, 1_000) == []
        assert await journal.read(7, 1, 9, 1_000) == []


async def test_lanes_are_numbered_apart_and_found_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0))
        assert await journal.append(make_batch(2.0, lane=0)) == Committed(0, 1, 1)
        await journal.acknowledge(0, Ranges.of((1, 1)))
    async with opened(tmp_path) as journal:
        assert set(journal.state().lanes) == {0, LANE}
        assert journal.state().lanes[LANE].backlog_batches == 1
        assert values_of(await read_all(journal, lane=0)) == [2.0]


async def test_a_second_process_is_told_who_has_the_log(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(LogError, match=r"open in another process \(pid \d+\)"):
            open_journal(tmp_path)
    async with opened(tmp_path):
        pass  # closing gave it free


async def test_nothing_is_taken_after_close(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.close()
    with pytest.raises(LogError, match="closed"):
        await journal.append(make_batch(1.0))
    with pytest.raises(LogError, match="closed"):
        await journal.read(LANE, 1, 1, 1)
    await journal.close()  # closing twice is no mistake


async def test_close_stores_what_was_handed_over(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    async with asyncio.TaskGroup() as group:
        group.create_task(append_together(journal, [make_batch(float(n)) for n in range(50)]))
        await asyncio.sleep(0)  # the appends are handed over, the first may be committed
        await asyncio.sleep(0)
        group.create_task(journal.close())
    async with opened(tmp_path) as journal:
        assert len(values_of(await read_all(journal))) == 50


async def test_a_cancelled_append_harms_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await journal.append(make_batch(1.0))
        await journal.append(make_batch(2.0))
        assert 2.0 in values_of(await read_all(journal))


async def test_refuses_when_too_much_waits_but_never_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "SAMPLES_WAITING_MAX", 10)
    async with opened(tmp_path) as journal:
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.append(make_batch(*range(11))))
            await asyncio.sleep(0)
            with pytest.raises(LogFullError, match="wait for the disk"):
                await journal.append(make_batch(1.0))
        await journal.append(make_batch(2.0))
        assert values_of(await read_all(journal)) == [*range(11), 2.0]


@pytest.mark.parametrize(
    ("field", "content", "word"),
    [
        ("ts_ms", [1, 2], "one length"),
        ("value", [], "one length"),
        ("value", [None], "expected a number"),
        ("series_ix", ["x"], "series_ix"),
        ("series_ix", [2], "not in the catalogue"),
        ("recv_min_ms", T0_MS + 1, "recv_min_ms"),
        ("recv_max_ms", 2**63, "64 bits"),
        ("lane", 8, "lane"),
        ("seen", [(1, 2, 2**63)], "seen"),
    ],
)
async def test_a_malformed_batch_is_the_callers_error_and_stops_nothing(
    tmp_path: Path, field: str, content: object, word: str
) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match=word):
            await journal.append(replace(make_batch(1.0), **{field: content}))  # pyright: ignore[reportArgumentType] that is the point
        await journal.append(make_batch(2.0))
        assert values_of(await read_all(journal)) == [2.0]


async def test_a_malformed_quarantine_entry_is_the_callers_error(tmp_path: Path) -> None:
    entry = QuarantineEntry(at_ms=2**63, topic="t", reason="r", field="", detail="", payload=b"")
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match="64 bits"):
            await journal.quarantine([entry])
        await journal.quarantine([replace(entry, at_ms=1)])
        assert journal.state().quarantined == {"r": 1}


async def test_a_callback_that_fails_keeps_nobody_waiting(tmp_path: Path) -> None:
    def fail(_committed: Committed) -> None:
        raise ZeroDivisionError

    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with opened(tmp_path) as journal:
        journal.on_commit(fail)
        await journal.append(make_batch(1.0))
        await journal.append(make_batch(2.0))
    assert len(problems) == 2


async def test_full_of_what_is_owed_it_refuses_until_central_has_some(tmp_path: Path) -> None:
    async with opened(tmp_path, small_config()) as journal:
        with pytest.raises(LogFullError, match="size_max_bytes"):
            await fill(journal)
        stored = journal.state().lanes[LANE].last_seq
        state = journal.state()
        assert state.refusing is not None
        assert state.size_bytes < 8 * SEGMENT_SIZE_BYTES  # the budget is six
        assert len(await read_all(journal)) == stored
        await journal.acknowledge(LANE, Ranges.of((1, stored)))
        await journal.append(noise_batch(0, 10))
        assert journal.state().refusing is None
        assert journal.state().lanes[LANE].first_retained > 1


async def test_quarantine_is_kept_listed_and_shown(tmp_path: Path) -> None:
    entry = QuarantineEntry(
        at_ms=T0_MS, topic="a/b", reason="bad_json", field="", detail="x", payload=b"{" * 2_000
    )
    async with opened(tmp_path) as journal:
        await journal.quarantine([entry, replace(entry, reason="bad_ts")])
        await journal.quarantine([])
        with closing(open_quarantine_reader(tmp_path)) as reader:
            newest, oldest = reader.list_entries(10)
            assert (newest.reason, oldest.reason) == ("bad_ts", "bad_json")
            assert reader.list_entries(10, "bad_json") == [oldest]
            shown = reader.show_entry(oldest.id)
        assert shown is not None
        assert shown.payload == entry.payload
        assert journal.state().quarantined == {"bad_json": 1, "bad_ts": 1}


async def test_an_empty_payload_in_quarantine_is_listed_like_any_other(tmp_path: Path) -> None:
    entry = QuarantineEntry(
        at_ms=T0_MS, topic="a/b", reason="bad_json", field="", detail="x", payload=b""
    )
    async with opened(tmp_path) as journal:
        await journal.quarantine([entry])
        with closing(open_quarantine_reader(tmp_path)) as reader:
            (listed,) = reader.list_entries(10)
        assert (listed.payload, listed.size_bytes) == (b"", 0)


async def test_bodies_are_what_the_codec_reads(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(0.5, 0.25))
        (batch,) = await read_all(journal)
    columns = decode_body(batch.body)
    assert columns.number.tolist() == [0.5, 0.25]
    assert columns.ts_ms.tolist() == [T0_MS, T0_MS + 1_000]

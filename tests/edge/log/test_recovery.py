"""What the log finds after damage: it starts, keeps what can be read, and declares the rest."""

import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from edge.config import LogConfig
from edge.errors import LogForeignError, LogVersionError
from edge.log.database import PAGE_SIZE_BYTES, open_writer
from edge.log.journal import Journal
from edge.log.lane import SEQ_RESERVE
from edge.log.layout import SQLITE_COMPANIONS, UNFINISHED_PREFIX
from edge.log.quarantine import open_quarantine_reader
from shared.sync.ranges import Ranges
from tests.support.edge_log import (
    MEBIBYTE,
    append_values,
    make_batch,
    make_series,
    noise_batch,
    open_journal,
    opened,
    read_all,
    segment_files,
    small_config,
    values_of,
)

LANE = 2
LARGE = LogConfig()  # one segment holds all of a test
SMALL = small_config(size_max_bytes=16 * MEBIBYTE)  # 50 batches a segment, and room for all


def overwrite(file: Path, place: int, content: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(place)
        stream.write(content)


def damaged_files(state_dir: Path) -> list[str]:
    """Names of databases that were moved away, without what SQLite keeps beside them."""
    names = (path.name for path in (state_dir / "log" / "damaged").iterdir())
    return sorted(name for name in names if not name.endswith(SQLITE_COMPANIONS))


async def write_some(state_dir: Path, batches: int, config: LogConfig | None = None) -> None:
    async with opened(state_dir, config) as journal:
        for seed in range(batches):
            await journal.append(noise_batch(seed, 512))


async def check_whole(journal: Journal, originals: int) -> Ranges:
    """Whatever can be read is what was written; return the numbers that can."""
    batches = await read_all(journal)
    for batch in batches:
        if batch.seq <= originals:
            assert values_of([batch]) == noise_batch(batch.seq - 1, 512).value
    present = Ranges.of_numbers(batch.seq for batch in batches)
    lane = journal.state().lanes[LANE]
    assert present.intersection(lane.lost) == Ranges()
    assert present.union(lane.lost) == Ranges.of((1, lane.last_seq))
    return present


async def test_a_page_in_the_middle_costs_only_its_batches(tmp_path: Path) -> None:
    await write_some(tmp_path, 100, LARGE)  # 4 kB each: one batch on a page
    (file,) = segment_files(tmp_path)
    pages = file.stat().st_size // PAGE_SIZE_BYTES
    overwrite(file, (pages // 2) * PAGE_SIZE_BYTES, b"\x5a" * PAGE_SIZE_BYTES)
    async with opened(tmp_path, LARGE) as journal:
        present = await check_whole(journal, 100)
        assert 95 <= present.count < 100
        assert present.last == 100  # the end could be read: no number was skipped
        assert (await journal.append(make_batch(1.0))).first_seq == 101
        assert [one.reason for one in journal.state().lost] == ["damaged"]
    assert damaged_files(tmp_path) == [f"{file.name}.0"]


@pytest.mark.parametrize("size", [100, PAGE_SIZE_BYTES, 3 * PAGE_SIZE_BYTES])
async def test_batches_are_found_without_the_files_head(tmp_path: Path, size: int) -> None:
    await write_some(tmp_path, 50, LARGE)
    (file,) = segment_files(tmp_path)
    overwrite(file, 0, bytes(size))
    async with opened(tmp_path, LARGE) as journal:
        present = await check_whole(journal, 50)
        assert present.intersection(Ranges.of((1, 50))).count >= 48
        # Nothing says which batch was the last. When the first was written, numbers up to
        # 1 + SEQ_RESERVE were reserved: any of them may have been used.
        assert (await journal.append(make_batch(1.0))).first_seq == 1 + SEQ_RESERVE + 1


async def test_large_batches_are_found_over_their_overflow_pages(tmp_path: Path) -> None:
    async with opened(tmp_path, LARGE) as journal:
        for seed in range(5):
            await journal.append(noise_batch(seed, 8_000))
    (file,) = segment_files(tmp_path)
    overwrite(file, 0, bytes(PAGE_SIZE_BYTES))
    async with opened(tmp_path, LARGE) as journal:
        found = values_of(await journal.read(LANE, 1, 5, 10_000_000))
    assert found == [value for seed in range(5) for value in noise_batch(seed, 8_000).value]


async def test_a_body_that_changed_is_declared_lost_when_it_is_read(tmp_path: Path) -> None:
    await write_some(tmp_path, 200, SMALL)  # 4 kB each, in several segments
    first = segment_files(tmp_path)[0]
    place = first.read_bytes().find(noise_body(first))
    overwrite(first, place + 2_000, b"\x00\x00\x00\x00")
    async with opened(tmp_path, SMALL) as journal:
        assert journal.state().lost == ()  # sealed segments are not read at start
        present = await check_whole(journal, 200)
        lost = journal.state().lanes[LANE].lost
        assert lost.count == 1
        assert present.count == 199
        assert journal.state().lanes[LANE].backlog_batches == 199
        assert journal.state().lanes[LANE].owed == Ranges.of((1, 200)).difference(lost)
    assert damaged_files(tmp_path) == [f"{first.name}.0"]


def noise_body(segment: Path) -> bytes:
    """The beginning of the body of the segment's fifth batch."""
    with open_writer(segment, journal_mode="delete") as database:
        row = database.row("SELECT substr(body, 1, 64) FROM batch LIMIT 1 OFFSET 4")
    assert row is not None
    return bytes(row[0])


async def test_a_sealed_segment_that_is_gone_is_declared_lost(tmp_path: Path) -> None:
    await write_some(tmp_path, 200, SMALL)
    files = segment_files(tmp_path)
    files[1].unlink()
    async with opened(tmp_path, SMALL) as journal:
        present = await check_whole(journal, 200)
        assert [one.reason for one in journal.state().lost] == ["missing"]
        assert present.count == 200 - journal.state().lanes[LANE].lost.count


async def test_numbers_of_a_newest_segment_that_is_gone_are_not_given_again(
    tmp_path: Path,
) -> None:
    await write_some(tmp_path, 200, SMALL)
    segment_files(tmp_path)[-1].unlink()
    async with opened(tmp_path, SMALL) as journal:
        await check_whole(journal, 200)
        assert [one.reason for one in journal.state().lost] == ["end_of_log_missing"]
        assert (await journal.append(make_batch(1.0))).first_seq > 200


async def test_numbers_central_has_are_not_given_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
    shutil.copytree(tmp_path, tmp_path / "image")
    async with opened(tmp_path) as journal:
        await append_values(journal, 2.0, 3.0)
        await journal.acknowledge(LANE, Ranges.of((1, 3)))
    for file in segment_files(tmp_path):  # only the segments come back from the image
        file.unlink()
        shutil.copy(tmp_path / "image" / "log" / "seg" / file.name, file)
    async with opened(tmp_path) as journal:
        assert (await journal.append(make_batch(4.0))).first_seq == 4
        assert journal.state().lost == ()  # central has 2 and 3


async def test_without_meta_everything_is_owed_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0)
        await journal.acknowledge(LANE, Ranges.of((1, 2)))
    (tmp_path / "log" / "meta.db").unlink()
    async with opened(tmp_path) as journal:
        assert journal.state().lanes[LANE].backlog_batches == 2
        assert (await journal.append(make_batch(3.0))).first_seq == 3


async def test_a_damaged_meta_is_moved_away(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0)
        await journal.acknowledge(LANE, Ranges.of((1, 1)))
    overwrite(tmp_path / "log" / "meta.db", 0, b"garbage")
    async with opened(tmp_path) as journal:
        assert journal.state().lanes[LANE].backlog_batches == 1
    assert damaged_files(tmp_path) == ["meta.db.0"]


async def test_a_damaged_quarantine_is_moved_away(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    overwrite(tmp_path / "log" / "quarantine.db", 0, b"garbage")
    async with opened(tmp_path):
        with closing(open_quarantine_reader(tmp_path)) as reader:
            assert reader.list_entries(1) == []
    assert damaged_files(tmp_path) == ["quarantine.db.0"]


@pytest.mark.parametrize("content", [None, b"{half"])
async def test_a_lost_identity_is_taken_from_the_segments(
    tmp_path: Path, content: bytes | None
) -> None:
    async with opened(tmp_path) as journal:
        before = journal.identity()
    (tmp_path / "identity.json").unlink()
    if content is not None:
        (tmp_path / "identity.json").write_bytes(content)
    async with opened(tmp_path) as journal:
        assert journal.identity() == before


async def test_the_catalogue_survives_the_newest_segment(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0, new_series=tuple(map(make_series, (1, 2, 3)))))
    (file,) = segment_files(tmp_path)
    file.write_bytes(bytes(file.stat().st_size))
    async with opened(tmp_path) as journal:
        assert journal.series == [make_series(ix) for ix in (1, 2, 3)]


async def test_numbers_of_series_whose_names_are_lost_are_kept_apart(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_batch(1.0, new_series=tuple(map(make_series, (1, 2, 3)))))
    (tmp_path / "log" / "meta.db").unlink()
    (file,) = segment_files(tmp_path)
    with open_writer(file) as database:
        database.execute("DELETE FROM series WHERE ix > 1")
    async with opened(tmp_path) as journal:
        names = [str(series.name) for _, series in journal.series]
    assert names == ["kaduna/sensor/s1/ch4_pct", "kaduna/sensor/lost/series_2",
                     "kaduna/sensor/lost/series_3"]  # fmt: skip


async def test_a_segment_of_another_installation_is_refused(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        async with opened(tmp_path / name) as journal:
            await append_values(journal, 1.0)
    (theirs,) = segment_files(tmp_path / "theirs")
    shutil.copy(theirs, tmp_path / "ours" / "log" / "seg" / theirs.name)
    with pytest.raises(LogForeignError, match="belongs to installation"):
        open_journal(tmp_path / "ours")
    assert damaged_files(tmp_path / "ours") == []


async def test_a_header_that_changed_is_damage_and_no_reason_to_stop(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await append_values(journal, 1.0, 2.0)
    (file,) = segment_files(tmp_path)
    with open_writer(file) as database:
        database.execute("UPDATE header SET install_uuid = substr(install_uuid, 1, 31) || 'x'")
    async with opened(tmp_path) as journal:
        assert values_of(await read_all(journal)) == [1.0, 2.0]
    assert damaged_files(tmp_path) == [f"{file.name}.0"]


async def test_a_damaged_original_is_kept_byte_for_byte(tmp_path: Path) -> None:
    await write_some(tmp_path, 20, LARGE)
    (file,) = segment_files(tmp_path)
    overwrite(file, 0, bytes(200))
    original = file.read_bytes()
    async with opened(tmp_path, LARGE):
        pass
    assert (tmp_path / "log" / "damaged" / f"{file.name}.0").read_bytes() == original


async def test_a_segment_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (file,) = segment_files(tmp_path)
    with open_writer(file) as database:
        database.execute("PRAGMA user_version = 9")
    before = file.read_bytes()
    with pytest.raises(LogVersionError, match="format 9"):
        open_journal(tmp_path)
    assert file.read_bytes() == before


async def test_what_an_interrupted_change_of_segment_leaves_is_tidied(tmp_path: Path) -> None:
    await write_some(tmp_path, 200, SMALL)
    *_, old, newest = segment_files(tmp_path)
    with open_writer(old) as database:  # as if the power failed before it was sealed
        database.execute("DELETE FROM summary")
    shutil.copy(newest, newest.with_name(f"{UNFINISHED_PREFIX}{newest.name}"))
    async with opened(tmp_path, SMALL) as journal:
        assert (await check_whole(journal, 200)).count == 200
    assert not list(newest.parent.glob(f"{UNFINISHED_PREFIX}*"))
    assert not list(newest.parent.glob("*-wal"))


@pytest.mark.parametrize("seed", range(25))
async def test_random_damage_never_stops_the_start_nor_passes_for_data(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    await write_some(tmp_path, 60, SMALL)
    for _ in range(dice.randint(1, 4)):
        file = dice.choice(segment_files(tmp_path))
        size = file.stat().st_size
        match dice.randrange(3):
            case 0:
                overwrite(file, dice.randrange(size), dice.randbytes(dice.choice([1, 64, 20_000])))
            case 1:
                with file.open("r+b") as stream:
                    stream.truncate(dice.randrange(size))
            case _:
                overwrite(file, dice.randrange(size) // 4096 * 4096, bytes(4096))
    async with opened(tmp_path, SMALL) as journal:
        await check_whole(journal, 60)
        committed = await journal.append(make_batch(1.0))
        assert committed.first_seq > 60
    async with opened(tmp_path, SMALL) as journal:
        await check_whole(journal, 60)

"""Under which epoch an edge goes on. Owns granting, fencing and what epochs share.

Called inside the transaction that has the edge locked: sessions of one edge are opened one after
the other, so epochs are granted in order and no two installations get the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg.types.multirange import Int8Multirange, Multirange
from psycopg.types.range import Int8Range

from central.store.database import Connection, fetch
from central.store.fencing import BatchHashes, History, judge_history
from central.store.grants import Ancestor
from central.store.queries import load_queries
from shared.sync.frames import Hello
from shared.sync.marks import Marks, make_marks, marked_held
from shared.sync.ranges import Ranges

# An epoch only ever grows by one for a new installation: a claim beyond this is a broken edge's,
# and following it would use up the numbers.
EPOCH_CLAIM_MAX = 1_000_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GrantedEpoch:
    """An epoch and what central holds in it."""

    epoch: int
    lanes: dict[int, Ranges]
    series_known: int
    fenced: str | None
    ancestors: tuple[Ancestor, ...]
    marks: Marks  # of what is held


async def grant_epoch(
    connection: Connection, keys: Mapping[str, Any], hello: Hello
) -> GrantedEpoch:
    """Return the epoch under which the edge of ``keys`` (site_key, edge_key) goes on.

    An installation keeps its epoch for as long as its log is the one whose batches are held. Where
    it is an old or other copy it begins a new one, which shares what both have.
    """
    sql = load_queries("session")
    epochs = await fetch(connection, sql["epochs"], keys)
    base_of: dict[int, int | None] = {epoch: base for epoch, _, base in epochs}
    mine = [epoch for epoch, install, _ in epochs if install == UUID(hello.install_uuid)]
    newest = max(base_of, default=0)
    claimed = hello.epoch if hello.epoch <= EPOCH_CLAIM_MAX else 0
    epoch = claimed if claimed in mine else max(mine, default=0)
    if not mine or claimed > newest:
        # Never seen, or this database has forgotten it: an epoch that is nobody's.
        base, epoch = epoch or None, max(newest + 1, claimed)
        await _add(connection, keys, hello, _Added(epoch, base))
        newest, base_of[epoch] = epoch, base
    line = _line_of(epoch, base_of)
    history = await _history(connection, keys, line, hello)
    fence = judge_history(hello, history)
    held = history.held if fence is None else fence.shared
    if fence is not None:
        base, epoch = epoch, newest + 1
        await _add(connection, keys, hello, _Added(epoch, base, fence.because))
        for lane, shared in held.items():
            row = {"epoch": epoch, "lane": lane, "held": multirange_of(shared)}
            await connection.execute(sql["share"], {**keys, **row})
    return GrantedEpoch(
        epoch=epoch,
        lanes=dict(held),
        series_known=history.series_known if fence is None else 0,
        fenced=None if fence is None else fence.because,
        # Every epoch of the installation: it may have lost what it was told.
        ancestors=await _ancestors(connection, keys, mine, epoch),
        # Of a new epoch nothing is held yet but what was found to be the same.
        marks={} if fence is not None else await _marks(connection, keys, line, history.held),
    )


async def hashes_of(
    connection: Connection,
    keys: Mapping[str, Any],
    line: Iterable[int],
    asked: Iterable[tuple[int, int]],
) -> BatchHashes:
    """Return the hashes of those of ``asked``, (lane, seq), that are held.

    ``line`` is an epoch and those that it goes on from: what it shares is stored with them.
    """
    wanted = set(asked)
    found: dict[tuple[int, int], bytes] = {}
    for epoch in line:
        if not wanted:
            break
        parameters: Row = {
            **keys,
            "epoch": epoch,
            "batch_lanes": [lane for lane, _ in wanted],
            "seqs": [seq for _, seq in wanted],
        }
        rows = await fetch(connection, load_queries("session")["hashes"], parameters)
        found |= {(lane, seq): hashed for lane, seq, hashed in rows if hashed is not None}
        wanted -= found.keys()
    return found


def ranges_of(multirange: Multirange[int]) -> Ranges:
    """Return a multirange of PostgreSQL, half open, as inclusive ranges."""
    spans: list[tuple[int, int]] = []
    for part in multirange:
        assert part.lower is not None
        assert part.upper is not None
        spans.append((part.lower, part.upper - 1))
    return Ranges.of(*spans)


def multirange_of(ranges: Ranges) -> Int8Multirange:
    """Return inclusive ranges as PostgreSQL keeps them."""
    return Int8Multirange([Int8Range(first, last + 1) for first, last in ranges.spans])


@dataclass(frozen=True, slots=True)
class _Added:
    epoch: int
    base_epoch: int | None
    because: str | None = None


async def _add(
    connection: Connection, keys: Mapping[str, Any], hello: Hello, added: _Added
) -> None:
    parameters: Row = {
        **keys,
        "epoch": added.epoch,
        "install_uuid": UUID(hello.install_uuid),
        "base_epoch": added.base_epoch,
        "because": added.because,
    }
    await connection.execute(load_queries("session")["add_epoch"], parameters)


def _line_of(epoch: int, base_of: Mapping[int, int | None]) -> list[int]:
    """Return ``epoch`` and the epochs it goes on from, one after the other."""
    line: list[int] = []
    following: int | None = epoch
    while following is not None and following not in line:
        line.append(following)
        following = base_of.get(following)
    return line


async def _history(
    connection: Connection, keys: Mapping[str, Any], line: Sequence[int], hello: Hello
) -> History:
    sql, asked = load_queries("session"), {**keys, "epoch": line[0]}
    held = await _held(connection, keys, line[0])
    known = await fetch(connection, sql["series_known"], asked)
    marks = [
        (lane, mark.seq)
        for lane, of_lane in hello.marks.items()
        for mark in of_lane
        if mark.seq in held.get(lane, Ranges())
    ]
    return History(held, known[0][0], await hashes_of(connection, keys, line, marks))


async def _marks(
    connection: Connection, keys: Mapping[str, Any], line: Sequence[int], held: Mapping[int, Ranges]
) -> Marks:
    wanted = [(lane, seq) for lane, of_lane in held.items() for seq in marked_held(of_lane)]
    found: dict[int, dict[int, bytes]] = {}
    for (lane, seq), hashed in (await hashes_of(connection, keys, line, wanted)).items():
        found.setdefault(lane, {})[seq] = hashed
    return make_marks(found)


async def _held(connection: Connection, keys: Mapping[str, Any], epoch: int) -> dict[int, Ranges]:
    rows = await fetch(connection, load_queries("session")["held"], {**keys, "epoch": epoch})
    return {lane: ranges_of(multirange) for lane, multirange in rows}


async def _ancestors(
    connection: Connection, keys: Mapping[str, Any], mine: Iterable[int], epoch: int
) -> tuple[Ancestor, ...]:
    others = sorted({*mine} - {epoch}, reverse=True)
    return tuple([Ancestor(other, await _held(connection, keys, other)) for other in others])

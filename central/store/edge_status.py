"""How edges, their links and the inbox stand. Owns what "connected" means at central."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from central.store.database import Database
from central.store.inbox import SESSION_STALE_S
from central.store.queries import load_queries
from central.store.workers import WorkerRows
from shared.clock import iso_utc
from shared.sync.frames import Role
from shared.web.site_data import EdgeStatus, HeldCount, LaneStatus, LinkState

Document = Mapping[str, Any]

# Batches counted in a backlog: exact far beyond what people read, 50 ms at most to find out.
COUNTED_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is acknowledged to edges and not yet in the partitions, over all sites."""

    pending: int  # batches, COUNTED_MAX at most
    oldest_s: float  # age of the oldest; 0 if there is none
    quarantined: int  # entries held
    held: Mapping[str, HeldCount]  # by reason
    parked: Mapping[str, HeldCount]
    workers: int  # alive
    unpacked_samples: int  # by all workers that are remembered
    default_rows: int  # samples without a partition of their day; PostgreSQL's estimate


async def read_backlog(database: Database) -> Backlog:
    """Return the backlog of the whole database.

    Raises:
        StoreError: the server is away.
    """
    queries = load_queries("status")
    counted = {"counted_max": COUNTED_MAX}
    pending, oldest_s, default_rows = (await database.rows(queries["backlog"], counted))[0]
    quarantined = (await database.rows(queries["quarantined"], {}))[0][0]
    workers = WorkerRows(database)
    return Backlog(
        pending=pending,
        oldest_s=oldest_s,
        quarantined=quarantined,
        held=_of_all_edges(await _counts(database, "held_by_reason", None)),
        parked=_of_all_edges(await _counts(database, "parked_by_reason", None)),
        workers=await workers.running(),
        unpacked_samples=await workers.unpacked_samples(),
        default_rows=default_rows,
    )


async def edge_statuses(database: Database, site: str) -> list[EdgeStatus]:
    """Return the state of every edge of ``site``, ascending by id.

    Raises:
        StoreError: the server is away.
    """
    queries = load_queries("status")
    asked = {"site": site, "stale_s": SESSION_STALE_S, "counted_max": COUNTED_MAX}
    edges = await database.rows(queries["edges"], asked)
    held: dict[int, dict[int, tuple[int, int]]] = {}
    for edge_key, lane, last, count in await database.rows(queries["held"], asked):
        held.setdefault(edge_key, {})[lane] = (last, count)
    pending = dict(await database.rows(queries["pending"], asked))
    error = await _worker_problem(WorkerRows(database))
    aside = await _counts(database, "held_by_reason", site)
    parked = await _counts(database, "parked_by_reason", site)
    return [
        replace(
            _edge_status(name, _sessions(rows), held.get(key, {}), pending.get(key, 0), error),
            held=aside.get(key, {}),
            parked=parked.get(key, {}),
        )
        for (key, name), rows in groupby(edges, key=itemgetter(0, 1))
    ]


async def _counts(
    database: Database, query: str, site: str | None
) -> dict[int, dict[str, HeldCount]]:
    """Return by edge and reason what is held; of all sites if none is named."""
    found: dict[int, dict[str, HeldCount]] = {}
    rows = await database.rows(load_queries("status")[query], {"site": site})
    for _, edge_key, reason, batches, samples in rows:
        found.setdefault(edge_key, {})[reason] = HeldCount(batches, samples)
    return found


def _of_all_edges(counts: Mapping[int, Mapping[str, HeldCount]]) -> dict[str, HeldCount]:
    total: dict[str, HeldCount] = {}
    for by_reason in counts.values():
        for reason, count in by_reason.items():
            before = total.get(reason, HeldCount(0, 0))
            total[reason] = HeldCount(before.batches + count.batches, before.rows + count.rows)
    return total


async def _worker_problem(workers: WorkerRows) -> str | None:
    if await workers.running():
        return None
    seen_ms = await workers.last_seen_ms()
    since = "" if seen_ms is None else f" since {iso_utc(seen_ms)}"
    return f"no unpacking worker is running{since}: what arrives is kept, but not shown yet"


@dataclass(frozen=True, slots=True)
class _Session:
    """The newest session of a role."""

    role: Role
    opened_ms: int
    seen_ms: int
    closed_ms: int | None
    report: Document | None
    is_fresh: bool

    @property
    def since_ms(self) -> int:
        """When it came into the state it is in."""
        # A session whose process died has no end of its own: it ended when it was last seen.
        return self.opened_ms if self.is_fresh else (self.closed_ms or self.seen_ms)


def _sessions(rows: Iterable[Sequence[Any]]) -> list[_Session]:
    """Return the sessions that make the link: of all lanes together, or an urgent and a bulk one.

    ``rows`` ascend by time of opening; an edge without a session has one row of nothing.
    """
    known = [_Session(Role(role), *more) for _, _, role, *more in rows if role is not None]
    is_single = bool(known) and known[-1].role is Role.ALL
    return [one for one in known if (one.role is Role.ALL) == is_single]


def _edge_status(
    name: str,
    sessions: Sequence[_Session],
    held: Mapping[int, tuple[int, int]],
    pending: int,
    error: str | None,
) -> EdgeStatus:
    fresh = {one.role for one in sessions if one.is_fresh}
    is_connected = fresh in ({Role.ALL}, {Role.URGENT, Role.BULK})
    ended = [one for one in sessions if not one.is_fresh]
    nothing: Document = {}
    document = next((one.report for one in sessions if one.report), nothing)
    return EdgeStatus(
        edge_id=name,
        state=LinkState.CONNECTED if is_connected else LinkState.DISCONNECTED,
        since_ms=max((one.since_ms for one in ended or sessions), default=None),
        last_seen_ms=max((one.seen_ms for one in sessions), default=None),
        rtt_ms=document.get("rtt_ms") if is_connected else None,
        connections={
            one.role: LinkState.CONNECTED if one.is_fresh else LinkState.DISCONNECTED
            for one in sessions
        },
        lanes={
            lane: _lane_status(held.get(lane, (0, 0)), document.get("lanes", {}).get(str(lane), {}))
            for lane in sorted({*held, *(int(lane) for lane in document.get("lanes", {}))})
        },
        quarantined=document.get("quarantined", {}),
        broker_refused=document.get("broker_refused", {}),
        sent_today_bytes=document.get("sent_today_bytes", {}),
        held_up=document.get("held_up"),
        inbox_pending=pending,
        error=error,
    )


def _lane_status(held: tuple[int, int], reported: Document) -> LaneStatus:
    """Return what is known of a lane; the backlog is the edge's own account, as of its report.

    Of batches that have come since the report nothing is owed any more; samples and bytes are
    taken to be spread evenly over those that the report counted.
    """
    last_held, count = held
    last_seq = max(reported.get("last_seq", 0), last_held)
    counted = reported.get("backlog_batches", 0)
    owed = min(counted, counted + reported.get("acked", 0) - count)
    if owed <= 0:
        return LaneStatus(last_seq, count, 0, 0, 0, None)
    return LaneStatus(
        last_seq=last_seq,
        acked=count,
        backlog_batches=owed,
        backlog_samples=reported.get("backlog_samples", 0) * owed // counted,
        backlog_bytes=reported.get("backlog_bytes", 0) * owed // counted,
        oldest_unacked_ms=reported.get("oldest_ms"),
    )

"""`headframe bench central`: from batches in the durable inbox to rows that can be queried.

A PostgreSQL of its own, the product's own inbox, unpacker and rollups in this process; batches of
fifty edges lie in the inbox when the clock starts. The index of the samples is exchanged between
the runs, in this database only, to show what each costs.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, LiteralString

from psycopg.sql import SQL

from bench.background import in_background
from bench.chart import Bar, bar_chart
from bench.cluster import running_database
from bench.inbox_filling import History, fill_inbox
from bench.machine import describe_machine
from bench.measure import distribution
from bench.processes import ProcessWatch
from bench.report import Figure, Report
from central.config import DatabaseConfig
from central.inbox.unpack import prepare
from central.store.database import Database
from central.store.partition_days import DAY_MS
from central.store.rollups import Rollups
from central.store.unpacking import Unpacking
from shared.clock import Clock

_BATCHES_PER_CALL: Final = 64
_PER_SERIES: Final = 250  # samples of a series in a batch
_SERIES: Final = 40
_PER_ROW_MAX: Final = 50_000
_INDEXES: Final[dict[str, tuple[LiteralString, ...]]] = {
    "product": (),  # (series_id, ts) INCLUDE (v)
    "series_ts": (
        "DROP INDEX sample_series_ts",
        "CREATE INDEX sample_series_ts ON sample (series_id, ts)",
    ),
    "brin": (
        "DROP INDEX sample_series_ts",
        "CREATE INDEX sample_brin ON sample USING brin (ts)",
    ),
}
_PER_ROW = SQL(
    "INSERT INTO bench_row (site_id, series_id, ts, v, q)"
    " VALUES (%s, %s, to_timestamp(%s), %s, %s) ON CONFLICT DO NOTHING"
)
_GOALS: Final = {"brin": 700_000.0, "series_ts": 250_000.0, "rollup": 2_000_000.0}


@dataclass(frozen=True, slots=True)
class CentralOptions:
    """How much is unpacked, and where."""

    folder: Path
    postgres: str | None = None
    samples: int = 2_000_000  # for each index
    edges: int = 50
    chart_file: Path | None = None


async def bench_central(options: CentralOptions, clock: Clock) -> Report:
    """Measure each index, the rollups, the turns of the edges, and rows one by one; report.

    Raises:
        BenchError: if the database cannot run.
    """
    machine = describe_machine(options.folder)
    figures: dict[str, Figure] = {}
    rows = 0
    async with running_database(options.folder, options.postgres) as (config, pids):
        processes = ProcessWatch(list(pids))
        began_s = clock.monotonic_s()
        with in_background(processes.watch, processes.stop):
            for index in ("brin", "series_ts", "product"):
                rows += await _measure_index(options, config, clock, index, figures)
            await _measure_rollups(config, clock, figures)
            await _measure_per_row(config, clock, figures)
        watched_s = clock.monotonic_s() - began_s
    if options.chart_file is not None:
        options.chart_file.write_bytes(_chart(figures))
    return Report(
        bench="central",
        machine=machine,
        options={"samples": options.samples, "edges": options.edges},
        figures=figures,
        usage=processes.usage(),
        watched_s=watched_s,
        passed=rows == 3 * _history(options, "x", 0).samples,
        notes=("The unpacker runs in this process, beside PostgreSQL, on the same cores.",),
    )


def _history(options: CentralOptions, prefix: str, now_ms: int) -> History:
    per_batch = _SERIES * _PER_SERIES
    return History(
        site="bench",
        prefix=prefix,
        edges=options.edges,
        batches=max(1, options.samples // options.edges // per_batch),
        series=_SERIES,
        samples_per_series=_PER_SERIES,
        spacing_ms=1_000,
        start_ms=now_ms // DAY_MS * DAY_MS - DAY_MS,  # yesterday: its hours are over
    )


async def _measure_index(
    options: CentralOptions,
    config: DatabaseConfig,
    clock: Clock,
    index: str,
    figures: dict[str, Figure],
) -> int:
    """Fill the inbox, unpack it with ``index``, note the figures; return the rows there are."""
    durable = Database(config, application="bench-inbox")
    database = Database(config, application="bench-worker", durable=False)
    run = partial(database.rows, parameters={})
    await run(SQL("DELETE FROM rollup_dirty"))
    await run(SQL("DELETE FROM sync_batch"))
    await run(SQL("TRUNCATE sample, latest"))
    await run(SQL("DROP INDEX IF EXISTS sample_brin"))
    await run(SQL("DROP INDEX IF EXISTS sample_series_ts"))
    await run(SQL("CREATE INDEX sample_series_ts ON sample (series_id, ts) INCLUDE (v)"))
    for statement in _INDEXES[index]:
        await run(SQL(statement))
    history = _history(options, index.replace("_", "-"), clock.utc_ms())
    await fill_inbox(durable, clock, history)
    unpacking = Unpacking(database, clock, prepare)
    seen_s: dict[int, float] = {}
    began_s, looked_s = clock.monotonic_s(), 0.0
    while await unpacking.apply_next(batches_max=_BATCHES_PER_CALL):
        look_s = clock.monotonic_s()
        applied = SQL("SELECT DISTINCT edge_node_id FROM sync_batch WHERE state = 'applied'")
        for (edge,) in await run(applied):
            seen_s.setdefault(edge, look_s - began_s - looked_s)
        looked_s += clock.monotonic_s() - look_s
    took_s = clock.monotonic_s() - began_s - looked_s
    rows, size_bytes, index_bytes = (
        await run(
            SQL(
                "SELECT (SELECT count(*) FROM sample), sum(pg_relation_size(relid)),"
                " sum(pg_indexes_size(relid)) FROM pg_partition_tree('sample') WHERE isleaf"
            )
        )
    )[0]
    figures[f"{index}_rows_per_s"] = rows / took_s
    figures[f"{index}_bytes_per_row"] = float(size_bytes + index_bytes) / max(rows, 1)
    figures[f"{index}_edge_waits_s"] = distribution(list(seen_s.values()))
    await database.close()
    await durable.close()
    return rows


async def _measure_rollups(
    config: DatabaseConfig, clock: Clock, figures: dict[str, Figure]
) -> None:
    database = Database(config, application="bench-worker", durable=False)
    rollups = Rollups(database, clock, settle_s=0.0)
    samples, hours, began_s = 0, 0, clock.monotonic_s()
    while (done := await rollups.refresh_next()).hours:
        samples, hours = samples + done.samples, hours + done.hours
    took_s = clock.monotonic_s() - began_s
    figures["rollup_rows_per_s"] = samples / took_s
    figures["rollup_hours"] = hours
    await database.close()


async def _measure_per_row(
    config: DatabaseConfig, clock: Clock, figures: dict[str, Figure]
) -> None:
    """The baseline: a unique key, and each row inserted unless it is there."""
    database = Database(config, application="bench-worker", durable=False)
    async with database.transaction() as connection:
        await connection.execute(
            "CREATE TEMPORARY TABLE bench_row (site_id int, series_id int, ts timestamptz,"
            " v float8, q smallint, PRIMARY KEY (site_id, series_id, ts))"
        )
        rows = [(1, n % _SERIES, n / 1000.0, n / 100.0, 0) for n in range(_PER_ROW_MAX)]
        began_s = clock.monotonic_s()
        await connection.cursor().executemany(_PER_ROW, rows)
        figures["on_conflict_rows_per_s"] = _PER_ROW_MAX / (clock.monotonic_s() - began_s)
    await database.close()


def _chart(figures: dict[str, Figure]) -> bytes:
    def value(name: str) -> float:
        figure = figures[f"{name}_rows_per_s"]
        assert isinstance(figure, float)
        return figure

    return bar_chart(
        "inbox to rows",
        "rows/s",
        [
            Bar("BRIN only", value("brin"), goal=_GOALS["brin"]),
            Bar("(series, ts)", value("series_ts"), goal=_GOALS["series_ts"]),
            Bar("product: with v", value("product")),
            Bar("rollup", value("rollup"), goal=_GOALS["rollup"]),
            Bar("ON CONFLICT per row", value("on_conflict"), is_baseline=True),
        ],
    )

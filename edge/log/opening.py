"""Opening the log: lock, identity, meta.db, every lane, the catalogue, the quarantine; in order."""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from edge.config import LogConfig
from edge.errors import LogDamagedError
from edge.log.ballast import BALLAST_SIZE_BYTES, Ballast
from edge.log.catalogue import Catalogue, series_of_rows, source_topics, without_holes
from edge.log.database import check_sqlite_version
from edge.log.identity import load_identity, new_identity, save_identity
from edge.log.lane import LaneLog, Workshop
from edge.log.layout import Layout, exists, hold_lock, make_folders, move_to_damaged
from edge.log.meta import Meta, open_meta
from edge.log.quarantine import Quarantine, QuarantineLimits, open_quarantine
from edge.log.reader import SegmentReaders
from edge.log.recent import merge_tails
from edge.log.records import TELEMETRY_LANE, Identity, RecentTail
from edge.log.recovery import Finding, Site, begin_newest, recover_lane
from edge.log.segment_files import known_install_uuid, segment_names, tidy_segments
from edge.log.store import Parts, Store
from shared.clock import Clock
from shared.logs import get_log

_log = get_log("log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An open log and what was found in it. ``lock`` is closed last."""

    identity: Identity
    store: Store
    catalogue: Catalogue
    readers: SegmentReaders
    recent: RecentTail
    lock: contextlib.ExitStack


def open_log(state_dir: Path, site: str, edge_id: str, config: LogConfig, clock: Clock) -> Opened:
    """Open everything; see `edge.log.journal.Journal.open` for what it raises."""
    check_sqlite_version()
    layout = Layout(state_dir)
    make_folders(layout)
    with contextlib.ExitStack() as lock, contextlib.ExitStack() as undo:
        lock.enter_context(hold_lock(layout))
        ballast = Ballast(layout.ballast_file)
        if layout.free_bytes() < BALLAST_SIZE_BYTES and ballast.release():
            _log.error("the disk is full: the ballast is given up, so that the log can open")
        tidy_segments(layout)
        identity = _identity(layout, site, edge_id)
        meta = _open_meta(layout, clock)
        undo.callback(meta.abandon)
        settings = meta.settings()
        identity = replace(
            identity,
            epoch=int(settings.get("epoch", "0")),
            central_uuid=settings.get("central_uuid"),
        )
        works = Site(layout=layout, identity=identity, meta=meta, clock=clock)
        opened = _open_store(works, config, ballast, undo)
        opened.lock.push(lock.pop_all())
        undo.pop_all()  # nothing is to be undone: the store owns it all now
        return opened


def _open_store(
    site: Site, config: LogConfig, ballast: Ballast, undo: contextlib.ExitStack
) -> Opened:
    lanes = {name.lane for name in segment_names(site.layout)} | {TELEMETRY_LANE}
    findings: list[Finding] = []
    for lane in sorted(lanes):
        findings.append(recover_lane(site, lane))
        undo.callback(findings[-1].close)
    catalogue = _catalogue(site, findings)
    shop = Workshop(
        layout=site.layout,
        identity=site.identity,
        meta=site.meta,
        catalogue=catalogue,
        readers=SegmentReaders(),
        clock=site.clock,
    )
    entries = catalogue.all_entries()
    logs = {
        finding.lane: LaneLog(shop, finding.sealed, begin_newest(site, finding, entries))
        for finding in findings
    }
    store = Store(
        Parts(
            site=site,
            shop=shop,
            quarantine=_open_quarantine(site, config),
            ballast=ballast,
            lanes=logs,
            config=config,
        )
    )
    return Opened(
        identity=site.identity,
        store=store,
        catalogue=catalogue,
        readers=shop.readers,
        recent=_recent(findings, catalogue),
        lock=contextlib.ExitStack(),
    )


def _identity(layout: Layout, site: str, edge_id: str) -> Identity:
    identity = load_identity(layout, site, edge_id)
    if identity is not None:
        return identity
    install_uuid = known_install_uuid(layout)
    if install_uuid is None:
        identity = new_identity(site, edge_id)
    else:
        _log.error("identity file was missing or damaged; taken from the segments")
        identity = Identity(site, edge_id, install_uuid)
    save_identity(layout, identity)
    return identity


def _open_meta(layout: Layout, clock: Clock) -> Meta:
    if not exists(layout.meta_file) and segment_names(layout):
        _log.error("meta.db is missing: central will say again what it holds")
    try:
        return open_meta(layout.meta_file, clock)
    except LogDamagedError as error:
        moved_to = move_to_damaged(layout.meta_file, layout)
        _log.error("meta.db damaged: moved away", error=str(error), moved_to=str(moved_to))
        return open_meta(layout.meta_file, clock)


def _open_quarantine(site: Site, config: LogConfig) -> Quarantine:
    limits = QuarantineLimits(
        config.quarantine_entries_max,
        config.quarantine_size_max_bytes,
        min(config.quarantine_payload_max_bytes, config.quarantine_size_max_bytes // 2),
    )
    file = site.layout.quarantine_file
    try:
        return open_quarantine(file, limits, site.clock)
    except LogDamagedError as error:
        moved_to = move_to_damaged(file, site.layout)
        _log.error("quarantine damaged: moved away", error=str(error), moved_to=str(moved_to))
        return open_quarantine(file, limits, site.clock)


def _catalogue(site: Site, findings: list[Finding]) -> Catalogue:
    rows = [*site.meta.series(), *(row for finding in findings for row in finding.series)]
    known = series_of_rows(site.identity.site, rows)
    in_use = max(finding.series_count for finding in findings)
    series, made_up = without_holes(site.identity.site, known, in_use)
    if made_up:
        _log.error("names of series are lost with a damaged segment", series=made_up)
    sources = [row for finding in findings for row in finding.sources]
    return Catalogue(site.identity.site, series, source_topics(sources))


def _recent(findings: list[Finding], catalogue: Catalogue) -> RecentTail:
    columns = merge_tails([finding.tail for finding in findings])
    known = columns[0] <= catalogue.source_count
    source_ix, mark, ts_ms = columns[:, known]
    return RecentTail(catalogue.sources(), source_ix, mark, ts_ms)

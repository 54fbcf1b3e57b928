"""Everything the edge depends on, tried live: each with a plain sentence and what to do.

Owns which things are tried and from when on they are not well. It runs beside a working edge and
must not disturb it: it writes one small file of its own and removes it.
"""

import asyncio
import os
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge.config import EdgeConfig
from edge.errors import UplinkError
from edge.ingest.broker_probe import probe_broker
from edge.ingest.findings import Finding, Grade
from edge.runtime.checks import broker_findings, failed_checks
from edge.runtime.report import recorded_ms
from edge.uplink.transport import tls_context
from shared.clock import Clock, iso_utc

FLUSHES: Final = 20
FLUSH_SIZE_BYTES: Final = 8_192  # a page of the log
FLUSH_WARN_S: Final = 0.05  # twenty commits a second: what a group commit is made for
FLUSH_FAIL_S: Final = 1.0
CENTRAL_TIMEOUT_S: Final = 10.0
# No clock of a working node is before the year this was written.
EARLIEST_MS: Final = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
_TIME_SYNCED_FILE: Final = Path("/run/systemd/timesync/synchronized")


async def examine(config: EdgeConfig, clock: Clock) -> list[Finding]:
    """Return what was found, in the order in which it should be mended."""
    found = [*_configuration(config), *broker_findings(config)]
    found += await asyncio.to_thread(_disk, config, clock)
    found.append(_clock(config, clock))
    found += await probe_broker(config)
    found.append(await _central(config))
    if config.listener.enabled:
        found.append(await _listener(config))
    return found


def _configuration(config: EdgeConfig) -> Iterator[Finding]:
    failures = list(failed_checks(config))
    for failure in failures:
        yield Finding("configuration", Grade.FAILED, failure, "correct the configuration")
    if not failures:
        yield Finding("configuration", Grade.OK, "complete, and every file it names can be read")


def _disk(config: EdgeConfig, clock: Clock) -> Iterator[Finding]:
    folder = config.state_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    disk = os.statvfs(folder)
    free_bytes, floor_bytes = disk.f_bavail * disk.f_frsize, config.log.free_space_min_bytes
    told = f"{free_bytes / 1e9:.1f} GB free at {folder}"
    if free_bytes < floor_bytes:
        remedy = "free space, or lower log.free_space_min_bytes: nothing is taken now"
        yield Finding("disk", Grade.FAILED, f"{told}, less than the log leaves free", remedy)
    elif free_bytes < floor_bytes + config.log.segment_size_bytes * 2:
        yield Finding("disk", Grade.WARNING, f"{told}: soon nothing is taken", "free space")
    else:
        yield Finding("disk", Grade.OK, told)
    try:
        slowest_s, median_s = _flush_times(folder, clock)
    except OSError as error:
        told = f"{folder} cannot be written: {error.strerror}"
        yield Finding("disk", Grade.FAILED, told, "give the edge's account the folder")
        return
    yield judge_flushes(slowest_s, median_s)


def judge_flushes(slowest_s: float, median_s: float) -> Finding:
    """Return what it means that a flush takes ``median_s``, and one of them ``slowest_s``."""
    told = f"a flush takes {median_s * 1000:.1f} ms, the slowest {slowest_s * 1000:.0f} ms"
    if slowest_s >= FLUSH_FAIL_S:
        return Finding("disk", Grade.FAILED, told, "replace the disk: it stalls, or it is failing")
    if median_s >= FLUSH_WARN_S:
        remedy = "raise ingest.linger_ms so that more messages share a flush, or use a better disk"
        return Finding("disk", Grade.WARNING, told, remedy)
    return Finding("disk", Grade.OK, told)


def _flush_times(folder: Path, clock: Clock) -> tuple[float, float]:
    """Return the slowest and the median of some flushes in ``folder``, in seconds; OSError."""
    times_s: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FLUSHES):
            file.write(b"\0" * FLUSH_SIZE_BYTES)
            file.flush()
            began_s = clock.monotonic_s()
            os.fsync(file.fileno())
            times_s.append(clock.monotonic_s() - began_s)
    return max(times_s), sorted(times_s)[FLUSHES // 2]


def _clock(config: EdgeConfig, clock: Clock) -> Finding:
    now_ms = clock.utc_ms()
    recorded = recorded_ms(config.state_dir)
    if now_ms < EARLIEST_MS:
        told = f"this node's clock says {iso_utc(now_ms)}"
        return Finding("clock", Grade.FAILED, told, "set it; is the battery of its clock empty?")
    if recorded > now_ms + round(config.ingest.future_reject_s * 1000):
        told = f"this node's clock says {iso_utc(now_ms)}, but {iso_utc(recorded)} is on record"
        return Finding("clock", Grade.FAILED, told, "set it")
    if _TIME_SYNCED_FILE.exists():
        return Finding("clock", Grade.OK, f"{iso_utc(now_ms)}, kept by a time server")
    told = f"{iso_utc(now_ms)}; whether a time server keeps it cannot be told here"
    return Finding("clock", Grade.WARNING, told, "see to it that chrony or systemd-timesyncd runs")


async def _central(config: EdgeConfig) -> Finding:
    if config.uplink.url is None:
        return Finding("central", Grade.OK, "none is configured: the site works alone")
    address = urlsplit(config.uplink.url)
    told = f"{address.hostname}:{address.port or 443}"
    try:
        async with asyncio.timeout(CENTRAL_TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                address.hostname, address.port or 443, ssl=tls_context(config.uplink)
            )
        writer.close()
    except UplinkError as error:
        return Finding("central", Grade.FAILED, str(error), "correct the configuration")
    except ssl.SSLError as error:
        reason = error.reason or str(error)
        remedy = "check uplink.ca_file, and that central's certificate is for this name"
        return Finding("central", Grade.FAILED, f"{told}: TLS failed: {reason}", remedy)
    except OSError as error:  # a timeout, too
        reason = error.strerror or "no answer in time"
        remedy = "nothing is lost meanwhile; check the link and uplink.url"
        return Finding("central", Grade.WARNING, f"{told}: {reason}", remedy)
    return Finding("central", Grade.OK, f"{told} answers, and is who it should be")


async def _listener(config: EdgeConfig) -> Finding:
    address = f"{config.listener.host}:{config.listener.port}"
    try:
        async with asyncio.timeout(CENTRAL_TIMEOUT_S):
            _, writer = await asyncio.open_connection(config.listener.host, config.listener.port)
        writer.close()
    except OSError as error:
        told = f"nobody answers at {address}: {error.strerror or 'no answer in time'}"
        return Finding("listener", Grade.WARNING, told, "start the edge; devices cannot publish")
    return Finding("listener", Grade.OK, f"answers at {address}")

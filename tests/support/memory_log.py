"""An edge's log in memory that lets go of a batch the moment it is acknowledged.

A real log keeps what is acknowledged for as long as there is room. This one is merciless, so
that an acknowledgement that should not have been given shows as a loss.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edge.uplink.events import LogRead, ReadLog
from shared.sync.frames import (
    SERIES_PER_FRAME_MAX,
    URGENT_LANES,
    Batch,
    Hello,
    LaneExtent,
    Role,
    SeriesEntry,
)
from shared.sync.marks import make_marks, marked_seqs
from shared.sync.ranges import Ranges
from tests.support.sync_frames import INSTALL_UUID, make_batch, make_series

_HEAD = struct.Struct("<I")


def series_used(batch: Batch) -> int:
    """Return the highest series number that ``batch`` of a `MemoryLog` refers to."""
    (highest,) = _HEAD.unpack_from(batch.body)
    return int(highest)


@dataclass(slots=True)
class MemoryLog:
    """Durable by definition: a crash of the edge's process leaves it as it is."""

    install_uuid: str = INSTALL_UUID
    epoch: int = 0
    series: list[SeriesEntry] = field(default_factory=list[SeriesEntry])
    kept: dict[tuple[int, int], Batch] = field(default_factory=dict[tuple[int, int], Batch])
    appended: dict[tuple[int, int], Batch] = field(default_factory=dict[tuple[int, int], Batch])
    last_seq: dict[int, int] = field(default_factory=dict[int, int])
    timeline: int = 0  # what is appended in another is other content

    def append(self, lane: int, *, new_series: int = 0, size_bytes: int = 8) -> int:
        """Commit one batch that uses every series known, ``new_series`` new ones included.

        One of an urgent lane names no series and brings none.
        """
        known = len(self.series)
        if lane >= URGENT_LANES:
            self.series += make_series(known + 1, known + new_series)
        seq = self.last_seq.get(lane, 0) + 1
        head = _HEAD.pack(0 if lane < URGENT_LANES else len(self.series))
        content = bytes([self.timeline % 251, seq % 251]) * (size_bytes // 2)
        batch = make_batch(seq, head + content, lane=lane)
        self.kept[lane, seq] = self.appended[lane, seq] = batch
        self.last_seq[lane] = seq
        return seq

    def let_go(self, lane: int, ranges: Ranges) -> None:
        """Forget what is acknowledged."""
        for of_lane, seq in list(self.kept):
            if of_lane == lane and seq in ranges:
                del self.kept[of_lane, seq]

    def read(self, wanted: ReadLog) -> LogRead:
        """Answer as the real log does: at least one batch, then up to the size."""
        found: list[Batch] = []
        size_bytes = 0
        for seq in range(wanted.first, wanted.last + 1):
            batch = self.kept.get((wanted.lane, seq))
            if batch is None:
                continue
            size_bytes += len(batch.body)
            if found and size_bytes > wanted.size_max_bytes:
                break
            found.append(batch)
        used = max((series_used(batch) for batch in found), default=0)
        assert used == 0 or wanted.series_from is not None
        rest = self.series[(wanted.series_from or 1) - 1 : used]
        return LogRead(
            wanted.lane,
            wanted.first,
            wanted.last,
            tuple(found),
            tuple(rest[:SERIES_PER_FRAME_MAX]),
            len(rest) > SERIES_PER_FRAME_MAX,
        )

    def hello(self, role: Role = Role.ALL, wanted: Mapping[int, Iterable[int]] = {}) -> Hello:
        """Return what an edge with this log says first."""
        return Hello(
            site="kaduna",
            edge_id="edge-1",
            install_uuid=self.install_uuid,
            boot_id="boot-1",
            epoch=self.epoch,
            software="0.1.0",
            lanes={lane: self._extent(lane) for lane in sorted(self.last_seq)},
            series_count=len(self.series),
            sent_at_ms=0,
            marks=make_marks(self._hashes(wanted)),
            role=role,
        )

    def image(self) -> "MemoryLog":
        """Return a copy as a backup of the disk would hold it; what it appends is its own."""
        return MemoryLog(
            self.install_uuid,
            self.epoch,
            list(self.series),
            dict(self.kept),
            dict(self.appended),
            dict(self.last_seq),
            self.timeline + 1,
        )

    def hashes(self, lane: int, seqs: Iterable[int]) -> dict[int, bytes]:
        """Return the sha256 of those that are kept."""
        held = [(seq, self.kept.get((lane, seq))) for seq in seqs]
        return {seq: batch.sha256 for seq, batch in held if batch is not None}

    def _hashes(self, wanted: Mapping[int, Iterable[int]]) -> dict[int, dict[int, bytes]]:
        found: dict[int, dict[int, bytes]] = {}
        for lane, last_seq in self.last_seq.items():
            seqs = marked_seqs(self._extent(lane).first_retained, last_seq)
            found[lane] = self.hashes(lane, {*seqs, *wanted.get(lane, ())})
        return found

    def _extent(self, lane: int) -> LaneExtent:
        last_seq = self.last_seq[lane]
        first = min((seq for of_lane, seq in self.kept if of_lane == lane), default=last_seq + 1)
        return LaneExtent(first, last_seq)

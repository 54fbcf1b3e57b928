"""What of each lane central holds, what is under way, what is still to send; and the credit. Pure.

A ledger lives as long as one connection: nothing under way survives a cut, WELCOME says anew
what is held. Each number of a lane from the first retained to the last is at any moment in
exactly one of the sets of its `LaneLedger`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from edge.uplink.events import (
    Action,
    FindHour,
    HourFound,
    LogRead,
    NoteAbsent,
    NoteRefused,
    ReadLog,
    SendFrame,
)
from edge.uplink.schedule import LiveWindow, Traffic, Turns, by_traffic, traffic_of
from shared.errors import IllegalEventError, PeerViolationError
from shared.sync.frames import (
    BATCH_COST_BYTES,
    BODY_SIZE_MAX_BYTES,
    SERIES_COST_BYTES,
    SERIES_PER_FRAME_MAX,
    URGENT_LANES,
    Ack,
    Batch,
    Hello,
    LaneExtent,
    Nack,
    Role,
    SeriesFrame,
    Welcome,
    credit_cost_bytes,
)
from shared.sync.ranges import Ranges

READ_SIZE_MAX_BYTES = 262_144  # one read: 0.4 s of a 5 Mbit/s link, and well under a GC pause
READ_BATCHES_MAX = 256  # bounds a read where batches are tiny
TOO_LARGE = "too_large"


@dataclass(slots=True)
class LaneLedger:
    """One lane; the sets are disjoint and together hold at least what the log retains."""

    last_seq: int
    pending: Ranges
    window: LiveWindow
    in_flight: Ranges = field(default_factory=Ranges)
    held: Ranges = field(default_factory=Ranges)
    refused: Ranges = field(default_factory=Ranges)  # not sent again in this session
    absent: Ranges = field(default_factory=Ranges)  # retained by its numbers, yet not to be read

    def grow(self, last_seq: int, now_s: float) -> None:
        """Take note that the log ends at ``last_seq`` at ``now_s`` (monotonic seconds)."""
        if last_seq > self.last_seq:
            self.pending = self.pending.add(self.last_seq + 1, last_seq)
            self.last_seq = last_seq
            self.window.grow(last_seq, now_s)


class Ledger:
    """The lanes, the catalogue and the credit of one connection."""

    def __init__(
        self, hello: Hello, lost: Mapping[int, Ranges], *, is_newest_first: bool = False
    ) -> None:
        """Start from what HELLO told: all that is retained and not lost is pending.

        ``is_newest_first``: of the backlog the newest hour goes first, not the oldest.
        """
        self.lanes = {
            number: _whole(extent, lost.get(number, Ranges()))
            for number, extent in sorted(hello.lanes.items())
        }
        self.series_sent = 0
        self.credit_bytes = 0  # granted since WELCOME
        self.used_bytes = 0  # sent since WELCOME
        self._role = Role.ALL  # until WELCOME says which lanes this connection serves
        self._series_count = hello.series_count
        self._wanted_bytes = 0  # what the next thing to send costs, where that is known
        self._reading = False
        self._turns = Turns()
        self._is_newest_first = is_newest_first
        self._hour = Ranges()  # of the backlog, that is being sent

    @property
    def credit_left_bytes(self) -> int:
        """How much may still be sent."""
        return self.credit_bytes - self.used_bytes

    def beyond(self, welcome: Welcome) -> str | None:
        """Return what central holds that this log has never had, as a sentence; None if nothing.

        What an urgent connection does not serve may have grown since HELLO, through the other.
        """
        for number, held in sorted(welcome.lanes.items()):
            lane = self.lanes.get(number)
            last_seq = lane.last_seq if lane else 0
            if held.last is not None and held.last > last_seq:
                return f"central holds lane {number} up to {held.last}, this log ends at {last_seq}"
        if welcome.role is not Role.URGENT and welcome.series_known > self._series_count:
            known, count = welcome.series_known, self._series_count
            return f"central knows {known} series, this log has {count}"
        return None

    def welcome(self, welcome: Welcome) -> None:
        """Take over what central holds and grants; lanes it does not serve here are let go."""
        self._role = welcome.role
        self.lanes = {n: lane for n, lane in self.lanes.items() if self._role.serves(n)}
        for number, lane in self.lanes.items():
            lane.held = welcome.lanes.get(number, Ranges())
            lane.pending = lane.pending.difference(lane.held)
        self.series_sent = welcome.series_known
        self.credit_bytes = welcome.credit_bytes

    def grow(self, number: int, last_seq: int, now_s: float) -> None:
        """Take note that lane ``number`` ends at ``last_seq`` in the log at ``now_s``."""
        if not self._role.serves(number):
            return
        self.lanes.setdefault(number, _empty()).grow(last_seq, now_s)

    def settle(self, ack: Ack) -> None:
        """Move what is acknowledged to held and take over the credit; `check` came before."""
        self.credit_bytes = max(self.credit_bytes, ack.credit_bytes)
        if ack.ranges:
            lane = self.lanes[ack.lane]
            lane.in_flight = lane.in_flight.difference(ack.ranges)
            lane.held = lane.held.union(ack.ranges)

    def refuse(self, nack: Nack, *, is_kept: bool) -> None:
        """Move a refused batch out of the way; ``is_kept``: central has its bytes all the same."""
        lane = self.lanes[nack.lane]
        lane.in_flight = lane.in_flight.difference(Ranges(((nack.seq, nack.seq),)))
        if is_kept:
            lane.held = lane.held.add(nack.seq)
        else:
            lane.refused = lane.refused.add(nack.seq)

    def check(self, frame: Ack | Nack) -> None:
        """Check that only what was sent is acknowledged or refused: the log lets go what is held.

        Raises:
            PeerViolationError: if anything else is named.
        """
        lane = self.lanes.get(frame.lane, _empty())
        match frame:
            case Ack(ranges=ranges):
                stray = ranges.difference(lane.in_flight).difference(lane.held)
            case Nack(seq=seq):
                stray = Ranges(((seq, seq),)).difference(lane.in_flight)
            case _:
                assert_never(frame)
        if stray:
            kind = type(frame).__name__
            raise PeerViolationError(
                f"{kind} names {stray} of lane {frame.lane}, which was not sent"
            )

    def next_read(self, now_s: float, *, is_held_up: bool = False) -> ReadLog | FindHour | None:
        """Return the read that finds what to send next; None if nothing may be sent.

        The lowest of the urgent lanes first (alerts are 0), then the others by turns; of what
        was chosen the oldest first. ``is_held_up``: the others wait.
        """
        if self._reading or self.credit_left_bytes <= max(self._wanted_bytes - 1, BATCH_COST_BYTES):
            return None
        chosen = self._chosen(now_s, is_held_up=is_held_up)
        if chosen is None:
            return None
        self._reading = True
        if isinstance(chosen, FindHour):
            return chosen
        number, (first, last) = chosen
        return ReadLog(
            lane=number,
            first=first,
            last=min(last, first + READ_BATCHES_MAX - 1),
            size_max_bytes=min(READ_SIZE_MAX_BYTES, self.credit_left_bytes),
            series_from=None if number < URGENT_LANES else self.series_sent + 1,
        )

    def _chosen(
        self, now_s: float, *, is_held_up: bool
    ) -> tuple[int, tuple[int, int]] | FindHour | None:
        """Return the lane and the span of numbers to go on with; None if nothing is pending.

        Before that, where it is not known, ask for the hour that goes next.
        """
        waiting: dict[Traffic, tuple[int, tuple[int, int]]] = {}
        for number, lane in sorted(self.lanes.items()):
            if not lane.pending:
                continue
            if number < URGENT_LANES:
                return number, lane.pending.spans[0]
            if is_held_up:
                return None
            parts = by_traffic(number, lane.pending, lane.window.first_live(now_s))
            for traffic, part in parts.items():
                chosen = self._hour_of(part) if traffic is Traffic.BACKLOG else part
                if not chosen:
                    return FindHour(number, part.spans[-1][1])
                waiting.setdefault(traffic, (number, chosen.spans[0]))
        return waiting[self._turns.choose(waiting)] if waiting else None

    def _hour_of(self, backlog: Ranges) -> Ranges:
        """Return the part of ``backlog`` to go on with; nothing if its hour is to be found."""
        return backlog.intersection(self._hour) if self._is_newest_first else backlog

    def take_hour(self, found: HourFound) -> None:
        """Take note of the hour to go on with; `check_read` came before."""
        self._reading = False
        self._hour = Ranges.of((min(found.first, found.last), found.last))

    def read_failed(self) -> None:
        """Take note that the read gave nothing; it may be asked again."""
        self._reading = False

    def check_read(self, read: LogRead | HourFound) -> None:
        """Check that the answer is one to the read that was asked for.

        Raises:
            IllegalEventError: if it is not.
        """
        if isinstance(read, HourFound):
            if not self._reading:
                raise IllegalEventError(f"nobody asked for the hour of {read.last}")
            return
        first_ix = read.series[0].ix if read.series else self.series_sent + 1
        seqs = [batch.seq for batch in read.batches]
        if (
            not self._reading
            or first_ix != self.series_sent + 1
            or seqs != sorted(set(seqs))
            or (seqs and not read.first <= seqs[0] <= seqs[-1] <= read.last)
        ):
            raise IllegalEventError(f"not the answer to the last read: {read.lane} {seqs[:5]}")

    def take(self, read: LogRead, now_s: float) -> list[Action]:
        """Return the frames to send now: series first, then as many batches as the credit allows.

        What does not fit stays pending and is read again when the credit has grown.
        """
        self._reading = False
        self._wanted_bytes = 0
        actions = self._take_series(read)
        if self.series_sent < _last_ix(read) or read.series_more:
            return actions
        actions += self._note_absent(read)
        lane = self.lanes[read.lane]
        first_live = lane.window.first_live(now_s)
        for batch in read.batches:
            cost_bytes = credit_cost_bytes(batch)
            number = Ranges(((batch.seq, batch.seq),))
            if batch.seq not in lane.pending:
                continue
            if len(batch.body) > BODY_SIZE_MAX_BYTES:
                lane.pending = lane.pending.difference(number)
                lane.refused = lane.refused.union(number)
                actions.append(_too_large(batch))
                continue
            if cost_bytes > self.credit_left_bytes:
                self._wanted_bytes = cost_bytes
                break
            self.used_bytes += cost_bytes
            self._charge(batch, cost_bytes, first_live)
            lane.pending = lane.pending.difference(number)
            lane.in_flight = lane.in_flight.union(number)
            actions.append(SendFrame(batch))
        return actions

    def _charge(self, batch: Batch, cost_bytes: int, first_live: int) -> None:
        if batch.lane >= URGENT_LANES:
            self._turns.charge(traffic_of(batch.lane, batch.seq, first_live), cost_bytes)

    def _take_series(self, read: LogRead) -> list[Action]:
        affordable = self.credit_left_bytes // SERIES_COST_BYTES
        entries = read.series[:affordable]
        if len(entries) < len(read.series):
            self._wanted_bytes = SERIES_COST_BYTES * min(
                len(read.series) - len(entries), SERIES_PER_FRAME_MAX
            )
        actions: list[Action] = []
        for start in range(0, len(entries), SERIES_PER_FRAME_MAX):
            frame = SeriesFrame(entries=entries[start : start + SERIES_PER_FRAME_MAX])
            self.used_bytes += credit_cost_bytes(frame)
            self.series_sent = frame.entries[-1].ix
            actions.append(SendFrame(frame))
        return actions

    def _note_absent(self, read: LogRead) -> list[Action]:
        lane = self.lanes[read.lane]
        looked_until = read.batches[-1].seq if read.batches else read.last
        found = Ranges.of_numbers(batch.seq for batch in read.batches)
        absent = found.missing(read.first, looked_until).intersection(lane.pending)
        if not absent:
            return []
        lane.pending = lane.pending.difference(absent)
        lane.absent = lane.absent.union(absent)
        return [NoteAbsent(read.lane, absent)]


def _whole(extent: LaneExtent, lost: Ranges) -> LaneLedger:
    first, last = extent
    retained = Ranges(((first, last),)) if first <= last else Ranges()
    absent = retained.intersection(lost)
    return LaneLedger(last, retained.difference(absent), LiveWindow(last), absent=absent)


def _empty() -> LaneLedger:
    return LaneLedger(0, Ranges(), LiveWindow(0))


def _last_ix(read: LogRead) -> int:
    return read.series[-1].ix if read.series else 0


def _too_large(batch: Batch) -> NoteRefused:
    detail = f"body of {len(batch.body)} bytes exceeds {BODY_SIZE_MAX_BYTES}"
    return NoteRefused(batch.lane, batch.seq, TOO_LARGE, detail)

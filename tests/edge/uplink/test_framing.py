"""From what the log says to frames: nothing invented, nothing beyond the protocol's bounds."""

from edge.log.records import Identity, LaneState, LogState, StoredBatch
from edge.uplink.events import ReadLog
from edge.uplink.framing import (
    Installation,
    LinkFigures,
    answer_read,
    make_hello,
    make_report,
    seqs_to_mark,
)
from shared.domain.samples import Series, ValueType
from shared.ids import SeriesName
from shared.sync.frames import (
    REPORTED_REASONS_MAX,
    SERIES_PER_FRAME_MAX,
    UNIT_LENGTH_MAX,
    LaneBacklog,
    LaneExtent,
    Mark,
    SeriesFrame,
    decode_frame,
    encode_frame,
)
from shared.sync.ranges import Ranges
from tests.support.sync_frames import INSTALL_UUID, TELEMETRY

IDENTITY = Identity("kaduna", "edge-1", INSTALL_UUID, epoch=3, central_uuid=None)
QUIET = LinkFigures(rtt_ms=None, sent_today_bytes={"lane_2": 7}, held_up=None)
INSTALLATION = Installation(software="0.1.0", boot_id="boot-1")
ASKED = ReadLog(TELEMETRY, first=1, last=9, size_max_bytes=1_000, series_from=1)


def lane(first_retained: int, last_seq: int) -> LaneState:
    return LaneState(
        lane=TELEMETRY,
        first_retained=first_retained,
        last_seq=last_seq,
        acked=Ranges.of((1, 3)),
        lost=Ranges(),
        backlog_batches=2,
        backlog_samples=20,
        backlog_bytes=200,
        oldest_unacked_ms=77,
        segments=1,
        size_bytes=4_096,
    )


def log_state(of_lane: LaneState, *, quarantined: dict[str, int] | None = None) -> LogState:
    return LogState(
        lanes={TELEMETRY: of_lane},
        size_bytes=4_096,
        free_bytes=-1,
        refusing=None,
        lost=(),
        series=5,
        quarantined=quarantined or {},
        quarantine_evicted={},
        quarantine_entries=0,
        quarantine_bytes=0,
    )


def stored(seq: int, series_count: int) -> StoredBatch:
    return StoredBatch(
        lane=TELEMETRY,
        seq=seq,
        n=1,
        t_min_ms=1,
        t_max_ms=1,
        recv_min_ms=1,
        recv_max_ms=1,
        series_count=series_count,
        sha256=bytes(32),
        body=b"body",
    )


def series(ix: int, unit: str = "%") -> tuple[int, Series]:
    name = SeriesName("kaduna", "sensor", f"s{ix}", "ch4_pct")
    return ix, Series(name, unit, ValueType.NUMBER)


def test_hello_tells_who_and_how_far() -> None:
    hello = make_hello(IDENTITY, log_state(lane(2, 5)), INSTALLATION, hashes={}, now_ms=9)
    assert (hello.site, hello.edge_id, hello.epoch, hello.series_count) == (
        "kaduna",
        "edge-1",
        3,
        5,
    )
    assert hello.lanes == {TELEMETRY: LaneExtent(2, 5)}
    assert decode_frame(encode_frame(hello)) == hello


def test_hello_marks_the_newest_batches_and_some_before() -> None:
    state = log_state(lane(2, 5))
    assert seqs_to_mark(state, {TELEMETRY: [3]}) == {TELEMETRY: [2, 3, 4, 5]}
    hashes = {TELEMETRY: {seq: bytes([seq]) * 32 for seq in (2, 4, 5)}}
    hello = make_hello(IDENTITY, state, INSTALLATION, hashes=hashes, now_ms=9)
    assert hello.marks == {TELEMETRY: tuple(Mark(seq, bytes([seq]) * 16) for seq in (5, 4, 2))}
    assert decode_frame(encode_frame(hello)) == hello


def test_a_lane_that_never_had_a_batch_is_empty_and_valid() -> None:
    hello = make_hello(IDENTITY, log_state(lane(0, 0)), INSTALLATION, hashes={}, now_ms=9)
    assert hello.lanes == {TELEMETRY: LaneExtent(1, 0)}
    assert decode_frame(encode_frame(hello)) == hello


def test_a_report_passes_the_protocol_whatever_the_disk_says() -> None:
    many = {f"reason_{number}": number for number in range(100)}
    report = make_report(log_state(lane(1, 5), quarantined=many), many, QUIET, now_ms=9)
    assert decode_frame(encode_frame(report)) == report
    assert report.lanes == {TELEMETRY: LaneBacklog(5, 3, 2, 20, 200, 77)}
    for kept in (report.quarantined, report.broker_refused):  # the most frequent
        assert (len(kept), kept["reason_99"]) == (REPORTED_REASONS_MAX, 99)


def test_a_report_tells_what_the_broker_refused_apart_from_the_quarantine() -> None:
    state = log_state(lane(1, 5), quarantined={"bad_json": 2})
    report = make_report(state, {"not_permitted": 3}, QUIET, now_ms=9)
    assert (report.quarantined, report.broker_refused) == ({"bad_json": 2}, {"not_permitted": 3})


def test_series_that_are_not_yet_durable_stay_here() -> None:
    catalogue = [series(1), series(2), series(3)]  # 3 is known, and its batch not on disk yet
    answer = answer_read(ASKED, [stored(1, 1), stored(2, 2)], catalogue)
    assert [entry.ix for entry in answer.series] == [1, 2]
    assert not answer.series_more


def test_a_long_catalogue_goes_in_portions() -> None:
    count = SERIES_PER_FRAME_MAX + 1
    answer = answer_read(ASKED, [stored(1, count)], [series(ix) for ix in range(1, count + 1)])
    assert len(answer.series) == SERIES_PER_FRAME_MAX
    assert answer.series_more


def test_without_batches_no_series_are_sent() -> None:
    answer = answer_read(ASKED, [], [series(1)])
    assert (answer.batches, answer.series) == ((), ())


def test_a_unit_beyond_the_protocol_is_shortened_and_stops_nothing() -> None:
    answer = answer_read(ASKED, [stored(1, 1)], [series(1, unit="\x00µ" * 100)])
    assert answer.series[0].unit == "µ" * UNIT_LENGTH_MAX
    frame = SeriesFrame(entries=answer.series)
    assert decode_frame(encode_frame(frame)) == frame

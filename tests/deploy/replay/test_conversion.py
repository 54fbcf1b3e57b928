"""Rows become messages as the mapping declares, and what cannot is counted with its place."""

import pytest

from deploy.errors import SiteUsageError
from deploy.replay.conversion import Converter, Message, parse_cell, parse_time, read_zone
from deploy.replay.mapping import FileMapping, MetricMapping, parse_mapping
from deploy.replay.tables import Row

UTC = read_zone("UTC")

GAS = """
[clock]
column = "t"
format = "epoch_s"
[[message]]
kind = "sensor"
id = "gas-{station}"
metric = [{ column = "ch4", metric = "ch4_pct" }, { column = "co", metric = "co_ppm" }]
"""


def convert(mapping: str, *rows: dict[str, str]) -> tuple[Converter, list[Message]]:
    converter = Converter(parse_mapping("test", mapping), "kaduna")
    made = [
        message
        for line, cells in enumerate(rows, start=2)
        for message in converter.convert(Row("f.csv", line, cells), "f")
    ]
    return converter, made


def test_a_row_becomes_a_message_under_its_own_id() -> None:
    _, made = convert(GAS, {"t": "10", "station": "North 7", "ch4": "0.42", "co": "3"})
    assert made == [
        Message(
            "mine/v1/kaduna/sensor/gas-north-7/telemetry",
            10_000,
            {"metrics": {"ch4_pct": 0.42, "co_ppm": 3.0}},
        )
    ]


def test_missing_values_are_left_out_and_an_empty_row_sends_nothing() -> None:
    _, made = convert(
        GAS,
        {"t": "1", "station": "a", "ch4": "?", "co": "3"},
        {"t": "2", "station": "a", "ch4": "", "co": "NA"},
    )
    assert [message.content for message in made] == [{"metrics": {"co_ppm": 3.0}}]


def test_a_bad_cell_is_refused_alone_with_its_place() -> None:
    converter, made = convert(GAS, {"t": "1", "station": "a", "ch4": "high", "co": "3"})
    assert len(made) == 1
    assert converter.account.refused_cells == 1
    assert converter.account.problems == ["f.csv:2: column 'ch4': expected a number, got 'high'"]


def test_a_row_without_a_readable_time_is_refused_whole() -> None:
    converter, made = convert(GAS, {"t": "noon", "station": "a", "ch4": "1", "co": "3"})
    assert made == []
    assert converter.account.refused_rows == 1
    assert "expected a time as epoch_s, got 'noon'" in converter.account.problems[0]


def test_a_fixed_step_counts_rows_from_the_start() -> None:
    mapping = GAS.replace(
        'column = "t"\nformat = "epoch_s"', 'start = "2020-01-01T00:00:00Z"\nstep_s = 0.5'
    )
    _, made = convert(mapping, *[{"station": "a", "ch4": "1", "co": "2"}] * 3)
    assert [message.ts_ms for message in made] == [
        1_577_836_800_000,
        1_577_836_800_500,
        1_577_836_801_000,
    ]


@pytest.mark.parametrize(
    ("text", "form", "zone", "expected_ms"),
    [
        ("1577836800", "epoch_s", "UTC", 1_577_836_800_000),
        ("1577836800.25", "epoch_s", "UTC", 1_577_836_800_250),
        ("1577836800123", "epoch_ms", "UTC", 1_577_836_800_123),
        ("1577836800123999", "epoch_us", "UTC", 1_577_836_800_123),
        ("2020-01-01T00:00:00+01:00", "iso", "UTC", 1_577_833_200_000),
        ("2020-01-01 03:00:00", "%Y-%m-%d %H:%M:%S", "Europe/Moscow", 1_577_836_800_000),
        ("31.12.19 11:59:59 PM", "%d.%m.%y %I:%M:%S %p", "UTC", 1_577_836_799_000),
        ("1969-12-31T23:59:59.999", "iso", "UTC", -1),
    ],
)
def test_reads_times_of_every_declared_form(
    text: str, form: str, zone: str, expected_ms: int
) -> None:
    assert parse_time(text, form, read_zone(zone)) == expected_ms


@pytest.mark.parametrize(
    ("text", "file", "expected"),
    [
        ("0,42", FileMapping(decimal=","), 0.42),
        ("1.234,5", FileMapping(decimal=",", thousands="."), 1234.5),
        ("-1.5e-3", FileMapping(), -0.0015),
    ],
)
def test_reads_numbers_as_the_file_writes_them(
    text: str, file: FileMapping, expected: float
) -> None:
    assert parse_cell(text, MetricMapping(column="c", metric="m"), file) == expected


@pytest.mark.parametrize("text", ["inf", "1_000x", "0,42", "--"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse_cell(text, MetricMapping(column="c", metric="m"), FileMapping())


def test_flags_and_scales() -> None:
    flag = MetricMapping(column="c", metric="m", type="flag")
    assert parse_cell("Yes", flag, FileMapping()) is True
    with pytest.raises(ValueError, match="expected a flag"):
        parse_cell("maybe", flag, FileMapping())
    scaled = MetricMapping(column="c", metric="m", scale=1 / 3.6, offset=1.0)
    assert parse_cell("36", scaled, FileMapping()) == pytest.approx(11.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GAS.replace('kind = "sensor"', 'kind = "rocket"'), "message.0.kind"),
        (GAS.replace("[clock]", "[clock]\nstep_s = 1"), "either column"),
        (GAS.replace('metric = "ch4_pct"', 'metric = "CH4"'), "message.0.metric.0.metric"),
        (GAS + "colour = 1", "message.0.colour"),
        ("[clock]\nstep_s = 1\nstart = 'x'", "message"),
    ],
)
def test_a_wrong_mapping_names_its_mistake(text: str, named: str) -> None:
    with pytest.raises(SiteUsageError) as error:
        parse_mapping("m.toml", text)
    assert "m.toml" in str(error.value)
    assert named in str(error.value)


def test_all_mistakes_of_a_mapping_come_at_once() -> None:
    text = GAS.replace('kind = "sensor"', 'kind = "rocket"').replace('"ch4_pct"', '"CH4"')
    with pytest.raises(SiteUsageError) as error:
        parse_mapping("m.toml", text)
    assert len(str(error.value).splitlines()) == 2


def test_unknown_time_zone_is_named() -> None:
    with pytest.raises(SiteUsageError, match="Mars/Base"):
        read_zone("Mars/Base")

"""Numbers of sources and series: contiguous, never changed, handed out once."""

from edge.ingest.catalogue import Catalogue
from shared.domain.samples import Series, ValueType
from shared.domain.topics import Topic, parse_topic
from shared.ids import SeriesName

GAS = parse_topic("mine/v1/kaduna/sensor/gas-1/telemetry")
GAS_BIRTH = parse_topic("mine/v1/kaduna/sensor/gas-1/birth")
NUMBER = ValueType.NUMBER


def fresh(series_max: int = 10) -> Catalogue:
    return Catalogue(series=(), sources=(), series_max=series_max)


def number_of(
    catalogue: Catalogue, metric: str, *, topic: Topic = GAS, value_type: ValueType = NUMBER
) -> int | None:
    source = catalogue.source_of(topic)
    assert source is not None
    entry = catalogue.entry_of(source, metric, value_type)
    return entry.series_ix if entry else None


def series(metric: str, unit: str, value_type: ValueType = NUMBER) -> Series:
    return Series(SeriesName("kaduna", "sensor", "gas-1", metric), unit, value_type)


def test_series_are_numbered_from_one_in_order_of_appearance() -> None:
    catalogue = fresh()
    assert [number_of(catalogue, name) for name in ("ch4_pct", "co_ppm", "ch4_pct")] == [1, 2, 1]


def test_channels_of_one_asset_share_its_series() -> None:
    catalogue = fresh()
    assert number_of(catalogue, "online") == number_of(catalogue, "online", topic=GAS_BIRTH)


def test_another_type_is_another_series_and_the_first_comes_back() -> None:
    catalogue = fresh()
    types = (NUMBER, ValueType.TEXT, NUMBER, ValueType.TEXT)
    assert [number_of(catalogue, "a", value_type=t) for t in types] == [1, 2, 1, 2]


def test_new_entries_are_handed_out_once() -> None:
    catalogue = fresh()
    number_of(catalogue, "ch4_pct")
    assert catalogue.take_new() == (((1, series("ch4_pct", "%")),), ((1, str(GAS)),))
    assert catalogue.take_new() == ((), ())


def test_a_rebuilt_catalogue_goes_on_counting() -> None:
    known = ((1, series("ch4_pct", "%")), (2, series("co_ppm", "ppm")))
    catalogue = Catalogue(series=known, sources=((1, str(GAS)),), series_max=10)
    assert [number_of(catalogue, name) for name in ("co_ppm", "temp_c")] == [2, 3]
    source = catalogue.source_of(GAS_BIRTH)
    assert source is not None
    assert source.source_ix == 2


def test_a_declared_unit_makes_a_new_series_from_then_on() -> None:
    catalogue = fresh()
    assert number_of(catalogue, "ch4_pct") == 1
    catalogue.declare_units(GAS_BIRTH, {"ch4_pct": "vol%"})
    assert number_of(catalogue, "ch4_pct") == 2
    (_, (_, newest)), _ = catalogue.take_new()
    assert newest == series("ch4_pct", "vol%")


def test_a_declared_unit_is_as_durable_as_its_birth() -> None:
    catalogue = fresh()
    number_of(catalogue, "a", value_type=ValueType.INTEGER)
    catalogue.take_new()
    catalogue.declare_units(GAS_BIRTH, {"a": "bar", "temp_c": "°F", "ch4_pct": "%"})
    assert catalogue.take_new()[0] == (
        (2, series("a", "bar", ValueType.INTEGER)),
        (3, series("temp_c", "°F")),
    )


def test_after_a_restart_the_unit_that_was_used_last_holds() -> None:
    known = ((1, series("ch4_pct", "%")), (2, series("ch4_pct", "vol%")))
    used = [(2, 2), (1, 2)]
    catalogue = Catalogue(series=known, sources=(), series_max=10, last_used=used)
    assert number_of(catalogue, "ch4_pct") == 1


def test_after_a_restart_a_unit_declared_since_the_last_sample_holds() -> None:
    known = ((1, series("ch4_pct", "%")), (2, series("ch4_pct", "vol%")))
    catalogue = Catalogue(series=known, sources=(), series_max=10, last_used=[(1, 1)])
    assert number_of(catalogue, "ch4_pct") == 2


def test_a_declared_unit_survives_a_restart_by_its_series() -> None:
    known = ((1, series("ch4_pct", "%")), (2, series("ch4_pct", "vol%")))
    catalogue = Catalogue(series=known, sources=(), series_max=10)
    assert number_of(catalogue, "ch4_pct") == 2


def test_the_range_of_a_suffix_does_not_hold_in_another_unit() -> None:
    catalogue = fresh()
    catalogue.declare_units(GAS, {"temp_c": "°F"})
    source = catalogue.source_of(GAS)
    assert source is not None
    entry = catalogue.entry_of(source, "temp_c", NUMBER)
    assert entry is not None
    assert entry.low <= -459.67 <= 4_500.0 <= entry.high


def test_beyond_the_limit_known_series_go_on_and_new_ones_are_refused() -> None:
    catalogue = fresh(series_max=2)
    assert [number_of(catalogue, name) for name in ("a", "b", "c", "a")] == [1, 2, None, 1]
    assert catalogue.series_count == 2
    catalogue.source_of(GAS_BIRTH)
    assert catalogue.source_of(parse_topic("mine/v1/kaduna/sensor/gas-2/telemetry")) is None


def test_declared_units_are_bounded() -> None:
    catalogue = fresh(series_max=2)
    catalogue.declare_units(GAS, {f"m{n}": "%" for n in range(100)})
    assert [entry.unit for _, entry in catalogue.take_new()[0]] == ["%", "%"]
    assert [number_of(catalogue, name) for name in ("m0", "m1", "m99")] == [1, 2, None]

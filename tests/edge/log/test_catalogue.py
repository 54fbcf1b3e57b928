"""Numbers of series and sources: never given twice, never with a hole."""

import pytest

from edge.log.catalogue import Catalogue, series_of_rows, source_topics, without_holes
from shared.domain.samples import Series, ValueType
from shared.ids import SeriesName
from tests.support.edge_log import SITE, make_series

KNOWN = [make_series(1)[1], make_series(2)[1]]


def catalogue() -> Catalogue:
    return Catalogue(SITE, KNOWN, ["a", "b"])


def test_continues_where_it_ended() -> None:
    grown = catalogue()
    grown.register([make_series(3), make_series(4)], [(3, "c")])
    assert (grown.series_count, grown.source_count) == (4, 3)
    assert grown.series_from(4) == [make_series(4)]
    assert grown.value_types == [1, 1, 1, 1]


def test_saying_the_same_again_is_no_mistake() -> None:
    same = catalogue()
    same.register([make_series(2)], [(1, "a")])
    assert same.series_count == 2


@pytest.mark.parametrize(
    ("series", "sources", "word"),
    [
        ([make_series(4)], [], "expected number 3 next, got 4"),
        ([make_series(2, ValueType.TEXT)], [], "number 2 stands for"),
        ([make_series(0)], [], "got 0"),
        ([], [(4, "d")], "new_sources"),
        ([], [(1, "z")], "number 1 stands for a"),
        ([(3, Series(make_series(3)[1].name, "\ud800", ValueType.FLAG))], [], "surrogates"),
        ([], [(3, "\udc00")], "surrogates"),
        ([(3, Series(SeriesName("other", "sensor", "s", "m"), "", ValueType.FLAG))], [], "not of"),
    ],
)
def test_a_contradiction_is_refused_and_adds_nothing(
    series: list[tuple[int, Series]], sources: list[tuple[int, str]], word: str
) -> None:
    unchanged = catalogue()
    with pytest.raises(ValueError, match=word):
        unchanged.register(series, sources)
    assert (unchanged.series_count, unchanged.source_count) == (2, 2)


def test_rows_between_two_counts() -> None:
    entries = catalogue().entries(series_after=1, series_count=2, sources_after=0, source_count=1)
    assert entries.series == [(2, "sensor", "s2", "ch4_pct", "%", 1)]
    assert entries.sources == [(1, "a")]


def test_numbers_whose_names_are_lost_are_not_given_again() -> None:
    found = series_of_rows(SITE, [(1, "sensor", "s1", "ch4_pct", "%", 1), (2, "", "", "", "", 99)])
    series, made_up = without_holes(SITE, found, 3)
    assert series[0] == make_series(1)[1]
    assert [str(one.name) for one in series[1:]] == [
        f"{SITE}/sensor/lost/series_2",
        f"{SITE}/sensor/lost/series_3",
    ]
    assert made_up == 2


def test_sources_with_a_hole_keep_their_numbers() -> None:
    assert source_topics([(3, "c"), (1, "a")]) == ["a", "", "c"]
    assert source_topics([]) == []

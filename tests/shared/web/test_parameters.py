"""Every mistake of a request is named at once."""

from typing import Annotated

import pytest
from multidict import MultiDict
from pydantic import Field

from shared.errors import ApiError
from shared.ids import Kind
from shared.web.parameters import Parameters, RequestReading, decode_json, single_values


class Sample(Parameters):
    """Parameters of a made-up route."""

    site: str
    limit: Annotated[int, Field(ge=1, le=10)] = 5
    kind: tuple[Kind, ...] = ()


class Secret(Parameters):
    """A body that nobody may see in a log."""

    password: Annotated[str, Field(max_length=5)]


def mistakes_of(**query: str | list[str]) -> list[tuple[str | None, str]]:
    reading = RequestReading()
    pairs = [
        (name, text)
        for name, texts in query.items()
        for text in ([texts] if isinstance(texts, str) else texts)
    ]
    reading.query(Sample, MultiDict(pairs))
    return [(mistake.field, mistake.message) for mistake in reading.mistakes]


def test_a_good_query_becomes_typed() -> None:
    reading = RequestReading()
    found = reading.query(Sample, MultiDict({"site": "kaduna", "limit": "7"}))
    assert (found, reading.mistakes) == (Sample(site="kaduna", limit=7), [])


def test_all_mistakes_come_together() -> None:
    fields = [field for field, _ in mistakes_of(limit="11", kind="ghost", lmit="3")]
    assert sorted(map(str, fields)) == ["kind.0", "limit", "lmit", "site"]


def test_a_missing_field_is_called_required() -> None:
    assert mistakes_of() == [("site", "is required")]


def test_a_misspelt_name_is_told_the_known_ones() -> None:
    assert mistakes_of(site="k", lmit="3") == [("lmit", "unknown; known are: site, limit, kind")]


def test_a_wrong_value_is_shown_but_not_at_length() -> None:
    ((_, message),) = mistakes_of(site="k", limit="9" * 500)
    assert "got '999" in message
    assert len(message) < 250


def test_a_name_given_twice_is_a_mistake_where_one_is_expected() -> None:
    assert mistakes_of(site=["a", "b"])[0] == ("site", "given 2 times, expected once")


def test_a_list_is_given_repeated_or_with_commas() -> None:
    reading = RequestReading()
    pairs = [("site", "k"), ("kind", "sensor,vehicle"), ("kind", "worker")]
    found = reading.query(Sample, MultiDict(pairs))
    assert found is not None
    assert found.kind == (Kind.SENSOR, Kind.VEHICLE, Kind.WORKER)


def test_a_wrong_secret_is_never_shown() -> None:
    reading = RequestReading()
    reading.body(Secret, {"password": "hunter22"})
    assert "hunter22" not in str(reading.mistakes)
    assert reading.mistakes[0].field == "password"


@pytest.mark.parametrize("value", [None, 7, "text", [], [{"password": "x"}]])
def test_a_body_that_is_no_object_is_refused(value: object) -> None:
    reading = RequestReading()
    reading.body(Secret, value)
    with pytest.raises(ApiError, match="must be an object"):
        reading.refuse_mistakes()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a":1} trailing', b'{"a":NaN}', b"\xff\xfe", b'{"a":1,}', b"[" * 100_000],
)
def test_what_is_not_json_is_a_mistake_of_the_client(content: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        decode_json(content)
    assert refused.value.status == 400


def test_a_form_field_given_twice_is_a_mistake() -> None:
    with pytest.raises(ApiError, match="username: given twice"):
        single_values([("username", "a"), ("username", "b")])


def test_a_nul_is_refused_wherever_it_stands() -> None:
    assert ("site", "contains a NUL character") in mistakes_of(site="a\0b")
    reading = RequestReading()
    reading.body(Secret, {"password": "a\0b"})
    assert [mistake.field for mistake in reading.mistakes] == ["password"]

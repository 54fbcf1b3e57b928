"""Single fields of a payload: times, sequence numbers, names and values. Pure.

Owns what each may be and how a refusal words it: the path of the field and what was expected.
"""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, Final, cast

from edge.ingest.decoded import Reason, Refusal
from shared.domain.samples import EXACT_FLOAT_INTEGER_MAX, TEXT_LENGTH_MAX, Value, ValueType
from shared.ids import is_metric
from shared.units import quantity_of

SEQ_MAX: Final = 2**53  # a JSON number carries it exactly; counting at 1 MHz it lasts 285 years
UNIT_LENGTH_MAX: Final = 32  # the longest unit in use, "kWh/(m²·a)", is far shorter
REFUSED: Final = -1  # stands for a refused time or sequence number: neither can be negative

_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**63 - 1  # int64
_TS_MAX_MS = 2**63 - 1
_SHOWN_CHARACTERS_MAX = 80  # of a refused value, in the detail
_SHOWN_BITS_MAX = 128
_METRIC_NAMES_CACHED = 4096  # names in use at a site are far fewer; a cached check costs 50 ns

_WITHOUT_UNIT = (ValueType.TEXT, ValueType.FLAG)

is_metric_name = lru_cache(maxsize=_METRIC_NAMES_CACHED)(is_metric)


@lru_cache(maxsize=_METRIC_NAMES_CACHED)
def _has_unit(name: str) -> bool:
    return quantity_of(name).unit != ""


Values = list[tuple[str, ValueType, Value]]
Refusals = list[Refusal]


def read_ts(ts: Any, path: str, refused: Refusals) -> int | None:
    """Return the time in epoch ms, ``None`` if not given, ``REFUSED`` after noting why."""
    if ts is None or (type(ts) is int and 0 <= ts <= _TS_MAX_MS):
        return ts
    if type(ts) is float and ts.is_integer() and 0 <= ts <= EXACT_FLOAT_INTEGER_MAX:
        return int(ts)
    detail = f"expected milliseconds since 1970 as a whole number >= 0, got {shown(ts)}"
    refused.append(Refusal(Reason.BAD_TS, path + "ts", detail))
    return REFUSED


def read_seq(seq: Any, path: str, refused: Refusals) -> int | None:
    """Return the sequence number, ``None`` if not given, ``REFUSED`` after noting why."""
    if seq is None or (type(seq) is int and 0 <= seq <= SEQ_MAX):
        return seq
    if type(seq) is float and seq.is_integer() and 0 <= seq <= SEQ_MAX:
        return int(seq)
    detail = f"expected a whole number from 0 to {SEQ_MAX}, got {shown(seq)}"
    refused.append(Refusal(Reason.BAD_SEQ, path + "seq", detail))
    return REFUSED


def add_value(name: str, value: Any, field: str, values: Values, refused: Refusals) -> None:
    """Add ``value`` as the metric ``name``, or the refusal of ``field``.

    A metric whose name has a unit is a number: no text under ``ch4_pct`` passes for a reading.
    """
    judged = judge_value(value)
    if isinstance(judged, str):
        refused.append(Refusal(Reason.BAD_VALUE, field, judged))
    elif judged[0] in _WITHOUT_UNIT and _has_unit(name):
        detail = f"expected a number, as its name has a unit, got {shown(value)}"
        refused.append(Refusal(Reason.BAD_VALUE, field, detail))
    else:
        values.append((name, *judged))


def judge_value(value: Any) -> tuple[ValueType, Value] | str:
    """Return how ``value`` is stored, or what was expected instead of it."""
    if type(value) is float:
        return (ValueType.NUMBER, value) if isfinite(value) else f"expected a number, got {value}"
    if type(value) is bool:
        return ValueType.FLAG, value
    if type(value) is int:
        return _judge_integer(value)
    if type(value) is str:
        return _judge_text(value)
    return f"expected a number, a boolean or a short text, got {shown(value)}"


def _judge_integer(value: int) -> tuple[ValueType, Value] | str:
    if -EXACT_FLOAT_INTEGER_MAX <= value <= EXACT_FLOAT_INTEGER_MAX:
        return ValueType.NUMBER, float(value)
    if _INTEGER_MIN <= value <= _INTEGER_MAX:
        return ValueType.INTEGER, value
    return f"expected an integer from -2^63 to 2^63-1, got {shown(value)}"


def _judge_text(text: str) -> tuple[ValueType, Value] | str:
    if len(text) > TEXT_LENGTH_MAX:
        return f"expected a text of at most {TEXT_LENGTH_MAX} characters, got {len(text)}"
    # PostgreSQL cannot hold NUL and UTF-8 no half of a surrogate pair.
    if "\0" in text or not is_encodable(text):
        return f"expected text without NUL and without lone surrogates, got {shown(text)}"
    return ValueType.TEXT, text


def is_encodable(text: str) -> bool:
    """Tell whether ``text`` can be written as UTF-8: it holds no half of a surrogate pair."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def add_typed(
    entry: Mapping[str, Any],
    key: str,
    wanted: tuple[str, ValueType],
    path: str,
    out: tuple[Values, Refusals],
) -> None:
    """Add the value of an optional field whose type the contract fixes; ``null`` is "not given"."""
    value = entry.get(key)
    if value is None:
        return
    name, value_type = wanted
    values, refused = out
    judged = judge_value(value)
    if isinstance(judged, str):
        refused.append(Refusal(Reason.BAD_VALUE, path + key, judged))
    elif judged[0] is not value_type:
        expected = "a number" if value_type is ValueType.NUMBER else "a text"
        detail = f"expected {expected}, got {shown(value)}"
        refused.append(Refusal(Reason.BAD_VALUE, path + key, detail))
    else:
        values.append((name, *judged))


def structure(field: str, detail: str) -> Refusal:
    """Return the refusal of a document whose shape is not what the channel carries."""
    return Refusal(Reason.BAD_STRUCTURE, field, detail)


def shown(value: Any) -> str:
    """Return ``value`` as a refusal quotes it: short, on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        kind = "a map" if isinstance(value, dict) else "a list"
        return f"{kind} of {len(cast('list[Any]', value))}"
    if type(value) is int and value.bit_length() > _SHOWN_BITS_MAX:
        return f"an integer of {value.bit_length()} bits"  # Python refuses to print huge ones
    return repr(value)[:_SHOWN_CHARACTERS_MAX]


def shown_keys(entry: Mapping[str, Any]) -> str:
    """Return the keys of a map as a refusal quotes them, so that a misspelt one can be seen."""
    return ", ".join(map(repr, entry))[:_SHOWN_CHARACTERS_MAX] or "an empty map"


def shown_name(name: str) -> str:
    """Return a metric name as a path shows it: as it is, or quoted and short."""
    return name if is_metric_name(name) else repr(name)[:_SHOWN_CHARACTERS_MAX]

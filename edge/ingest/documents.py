"""Payload bytes to a plain document (maps, lists, scalars), JSON or msgpack. Pure.

Owns the choice of format and the odd corners of both. A key that stands twice in a map becomes
``TWICE``: whoever reads that key refuses it by name, and its neighbours survive.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgpack
import msgspec

from edge.ingest.decoded import Reason, Refusal

Document = Any  # what a device sent, before it is judged


class _Twice:
    """The value of a key that stands twice in one map: nobody can say which one was meant."""

    def __repr__(self) -> str:
        return "the same key twice"


TWICE: Final = _Twice()

_WHOLE = "payload"
_DETAIL_CHARACTERS_MAX = 200  # of a parser's own words
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # some Windows gateways send it; RFC 8259 lets readers skip it
_ASCII_END = 0x80
_DIGITS_MAX = 400  # of an integer; Python refuses to convert very long ones, and takes ages
_unpack: Callable[..., Any] = msgpack.unpackb  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] untyped library
_JSON: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()


def read_document(payload: bytes) -> Document | Refusal:
    """Return the document in ``payload`` or why there is none.

    msgpack maps and arrays begin with a byte of 0x80 or above, JSON text never does.
    """
    payload = payload.removeprefix(_BYTE_ORDER_MARK)
    if not payload:
        return Refusal(Reason.BAD_STRUCTURE, _WHOLE, "expected a map, got an empty payload")
    return _read_json(payload) if payload[0] < _ASCII_END else _read_msgpack(payload)


def _read_json(payload: bytes) -> Document | Refusal:
    try:
        document = _JSON.decode(payload)
    except RecursionError:
        return Refusal(Reason.BAD_JSON, _WHOLE, "nested too deeply")
    except (msgspec.DecodeError, ValueError) as error:
        return _read_loose_json(payload, str(error))
    # Every key has one colon. More colons than keys: text with a colon in it, or a key given twice.
    if payload.count(b":") != _key_count(document):
        return _read_loose_json(payload, "malformed")
    return document


def _read_loose_json(payload: bytes, complaint: str) -> Document | Refusal:
    """Read what strict JSON refuses whole: NaN, infinities, numbers too large, repeated keys."""
    try:
        return json.loads(payload.decode(), object_pairs_hook=_map_of, parse_int=_integer_of)
    except RecursionError:
        return Refusal(Reason.BAD_JSON, _WHOLE, "nested too deeply")
    except UnicodeDecodeError as error:
        return Refusal(Reason.BAD_JSON, _WHOLE, f"not UTF-8 at byte {error.start}")
    except ValueError:
        return Refusal(Reason.BAD_JSON, _WHOLE, complaint[:_DETAIL_CHARACTERS_MAX])


def _read_msgpack(payload: bytes) -> Document | Refusal:
    try:
        return _unpack(payload, object_pairs_hook=_map_of)
    except (ValueError, TypeError, RecursionError) as error:
        complaint = str(error) or type(error).__name__
        return Refusal(
            Reason.BAD_MSGPACK, _WHOLE, f"not msgpack: {complaint[:_DETAIL_CHARACTERS_MAX]}"
        )


def _integer_of(digits: str) -> int:
    return int(digits[:_DIGITS_MAX])  # cut, it is still far outside every range that is accepted


def _map_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found[key] = TWICE
            seen.add(key)
    return found


def _key_count(document: Document) -> int:
    """Return the number of keys of all maps in ``document``; its depth is bounded by the parser."""
    if type(document) is dict:
        found = cast("dict[str, Any]", document)
        count = len(found)
        for value in found.values():
            if type(value) is dict or type(value) is list:  # pyright: ignore[reportUnknownArgumentType] Any by nature
                count += _key_count(value)
        return count
    if type(document) is list:
        return sum([_key_count(value) for value in cast("list[Any]", document)])
    return 0

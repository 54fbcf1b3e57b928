"""docs/sync-protocol.md says what the tables and the types say."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import central.inbox.acceptor as listener
import central.inbox.states as inbox
import edge.uplink.states as uplink
from shared.sync import frames, records

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sync-protocol.md"
WIRE_FORMAT = DOCUMENT.with_name("wire-format.md")
FRAME_TYPES: tuple[type[msgspec.Struct], ...] = get_args(frames.Frame)
RECORD_TYPES: tuple[type[msgspec.Struct], ...] = get_args(records.KnownRecord)


def diagram(transitions: Mapping[StrEnum, Mapping[StrEnum, StrEnum]], first: StrEnum) -> str:
    """Return a Mermaid diagram of every way out of a state; what stays is left out."""
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for state, ways in transitions.items():
        reasons: dict[StrEnum, list[str]] = {}
        for happening, following in ways.items():
            if following is not state:
                reasons.setdefault(following, []).append(happening)
        for following, happenings in reasons.items():
            lines.append(f"    {state} --> {following}: {', '.join(happenings)}")
    last = [state for state, ways in transitions.items() if set(ways.values()) <= {state}]
    return "\n".join([*lines, *(f"    {state} --> [*]" for state in last)])


def staying(transitions: Mapping[StrEnum, Mapping[StrEnum, StrEnum]]) -> list[str]:
    """Return a table row for each state: what may happen there without leaving it."""
    return [
        f"| `{state}` | {', '.join(sorted(h for h, to in ways.items() if to is state)) or 'none'} |"
        for state, ways in transitions.items()
    ]


def frame_row(frame: type[msgspec.Struct]) -> str:
    """Return how the document must begin the row of a frame: number, name, fields in order."""
    number = msgspec.inspect.type_info(frame)
    assert isinstance(number, msgspec.inspect.StructType)
    return f"| {number.tag} | {frame.__name__} | `{', '.join(frame.__struct_fields__)}` |"


MACHINES = [
    pytest.param(uplink.TRANSITIONS, uplink.State.WAITING, id="edge"),
    pytest.param(inbox.TRANSITIONS, inbox.State.GREETING, id="central"),
]


@pytest.mark.parametrize(("transitions", "first"), MACHINES)
def test_diagrams_are_those_of_the_tables(
    transitions: Mapping[StrEnum, Mapping[StrEnum, StrEnum]], first: StrEnum
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert diagram(transitions, first) in text
    assert [row for row in staying(transitions) if row not in text] == []


@pytest.mark.parametrize("frame", FRAME_TYPES, ids=lambda frame: frame.__name__)
def test_every_frame_is_described_with_its_fields(frame: type[msgspec.Struct]) -> None:
    assert frame_row(frame) in DOCUMENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("record", RECORD_TYPES, ids=lambda record: record.__name__)
def test_every_record_is_described_with_its_fields(record: type[msgspec.Struct]) -> None:
    assert frame_row(record) in WIRE_FORMAT.read_text(encoding="utf-8")


def test_every_code_is_explained() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    codes = [*frames.RefuseCode, *frames.NackCode]
    assert [code for code in codes if f"| `{code}` |" not in text] == []


def test_limits_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    limits = (
        frames.FRAME_SIZE_MAX_BYTES,
        frames.BODY_SIZE_MAX_BYTES,
        frames.SERIES_PER_FRAME_MAX,
        frames.BATCH_COST_BYTES,
        frames.SERIES_COST_BYTES,
    )
    assert [limit for limit in limits if f"{limit:,}" not in text] == []
    assert listener.SYNC_PATH in text


@pytest.mark.parametrize(("transitions", "first"), MACHINES)
def test_every_state_can_be_reached_and_every_happening_happens(
    transitions: Mapping[StrEnum, Mapping[StrEnum, StrEnum]], first: StrEnum
) -> None:
    reached = {first} | {following for ways in transitions.values() for following in ways.values()}
    assert reached == set(transitions)
    possible = {happening for ways in transitions.values() for happening in ways}
    assert {h for h in type(next(iter(possible))) if h not in possible} == {"foreign"}

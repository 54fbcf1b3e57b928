"""Do edge and central agree: on the lanes of a connection, and on what was sent before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from shared.sync.frames import Nack, Role, Welcome
from shared.sync.marks import Hashes, first_other


@dataclass(frozen=True, slots=True)
class Fork:
    """Where central holds another batch than this log under the same number."""

    cause: str  # a sentence
    in_question: Mapping[int, tuple[int, ...]]  # numbers by lane that the next HELLO is to mark


def fork_of(frame: Welcome | Nack, hashes: Hashes) -> Fork:
    """Return what ``frame`` shows; it was found to show a fork."""
    match frame:
        case Nack(lane=lane, seq=seq):
            in_question, other = {lane: (seq,)}, (lane, seq)
        case Welcome(marks=marks):
            in_question = {
                lane: tuple(mark.seq for mark in of_lane) for lane, of_lane in marks.items()
            }
            other = first_other(marks, hashes)
        case _:
            assert_never(frame)
    assert other is not None, "the table lets nothing pass here that is the same"
    return Fork(f"lane {other[0]}: batch {other[1]} is another at central", in_question)


def fits(asked: Role, served: Role) -> bool:
    """Tell whether a connection can go on: a central that knows no roles serves all on one."""
    return served is asked or (asked is Role.URGENT and served is Role.ALL)

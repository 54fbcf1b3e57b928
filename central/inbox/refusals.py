"""How a session or a batch is refused: the frames, the patience asked for, the note. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from central.inbox.events import Action, HangUp, NoteEnding, NoteRefused, SendFrame
from shared.sync.frames import Nack, NackCode, Refuse, RefuseCode

_DETAIL_LENGTH_MAX = 1_000  # what Refuse and Nack carry

RETRY_AFTER_S: Mapping[RefuseCode, float] = MappingProxyType(
    {
        RefuseCode.BAD_FRAME: 30.0,  # a fault of a program: soon enough after an upgrade
        RefuseCode.BAD_PROTOCOL: 300.0,  # somebody must upgrade
        RefuseCode.BAD_IDENTITY: 300.0,  # somebody must enrol
        RefuseCode.DUPLICATE_IDENTITY: 10.0,  # after a power cut the other is found dead by then
        RefuseCode.REWOUND: 300.0,  # somebody must decide
        RefuseCode.CATALOGUE_CONFLICT: 300.0,  # somebody must decide
        RefuseCode.CREDIT_EXCEEDED: 30.0,
        RefuseCode.TOO_FAST: 60.0,
        RefuseCode.TOO_MANY_REFUSED: 60.0,
        RefuseCode.UNAVAILABLE: 1.0,  # the edge adds its own backoff
        RefuseCode.BUSY: 10.0,
    }
)


def refuse_session(code: RefuseCode, detail: str) -> list[Action]:
    """Return what ends a session for ``code``; ``detail`` is a sentence for both operators."""
    short = detail[:_DETAIL_LENGTH_MAX]
    refuse = Refuse(code=code, detail=short, retry_after_s=RETRY_AFTER_S[code])
    return [SendFrame(refuse), NoteEnding(code, detail), HangUp()]


def refuse_batch(lane: int, seq: int, code: NackCode, detail: str) -> list[Action]:
    """Return what tells both operators that one batch is refused."""
    nack = Nack(lane=lane, seq=seq, code=code, detail=detail[:_DETAIL_LENGTH_MAX])
    return [SendFrame(nack), NoteRefused(lane, seq, code, detail)]

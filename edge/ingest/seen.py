"""The newest device messages, by identity: what a redelivery is recognised by. Pure.

An identity is three integers: (source_ix, mark, stamp). ``mark`` is the sequence number, ``stamp``
the device time in ms; where the device gives only one of them, the other is a negative number made
of the values. A message with neither has no identity and is never taken for a duplicate.
"""

from collections.abc import Sequence, Set
from typing import Final
from zlib import crc32

from shared.domain.samples import Value, ValueType

Identity = tuple[int, int, int]

# The window holds between three and four generations: 210,000 to 280,000 messages. Everything that
# can be unacknowledged at the broker (see intake.py) fits into it with room to spare, so whatever
# is redelivered after a crash is recognised.
GENERATION_SIZE: Final = 70_000
GENERATIONS: Final = 4
# The last message of a silent source is written again when it is this many generations old: after
# at most 140,000 messages, while the log, which keeps 200,000, still has it.
REWRITTEN_AFTER: Final = 2


def identity_of(
    source_ix: int,
    seq: int | None,
    ts_ms: int | None,
    values: Sequence[tuple[str, ValueType, Value]],
) -> Identity | None:
    """Return what tells this sample from every other of its source, or ``None``."""
    if seq is not None and ts_ms is not None:
        return (source_ix, seq, ts_ms)
    if seq is None and ts_ms is None:
        return None
    fingerprint = -1 - crc32(repr(values).encode("utf-8", "surrogatepass"))
    return (
        source_ix,
        fingerprint if seq is None else seq,
        fingerprint if ts_ms is None else ts_ms,
    )


class SeenWindow:
    """A set of identities that forgets the oldest; at most ``GENERATIONS`` times its size."""

    def __init__(self, generation_size: int = GENERATION_SIZE) -> None:
        self.generation_size = generation_size
        self._newest: set[Identity] = set()
        self._older: list[set[Identity]] = [set() for _ in range(GENERATIONS - 1)]

    def __contains__(self, identity: Identity) -> bool:
        second, third, fourth = self._older
        return (
            identity in self._newest
            or identity in second
            or identity in third
            or identity in fourth
        )

    def __len__(self) -> int:
        return len(self._newest) + sum(map(len, self._older))

    @property
    def is_due(self) -> bool:
        """Tell whether the newest generation is full, so that ``turn`` must be called."""
        return len(self._newest) >= self.generation_size

    def add(self, identity: Identity) -> None:
        """Remember ``identity`` as the newest."""
        self._newest.add(identity)

    def turn(self) -> Set[Identity]:
        """Begin a new generation and forget the oldest; return the one to be rewritten from."""
        self._older = [self._newest, *self._older[:-1]]
        self._newest = set()
        return self._older[REWRITTEN_AFTER - 1]

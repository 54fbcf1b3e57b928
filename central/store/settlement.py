"""Which of the batches of one call are new, repeated or in conflict. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from central.store.grants import BatchRefusal, StoreResult
from shared.sync.frames import Batch, NackCode
from shared.sync.ranges import Ranges

BatchKey = tuple[int, int]  # (lane, seq): the identity of a batch within one epoch of an edge


def key_of(batch: Batch) -> BatchKey:
    """Return the identity of ``batch``."""
    return batch.lane, batch.seq


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be done with each batch of a call."""

    fresh: tuple[Batch, ...]  # to be put into the inbox; one per identity
    repeated: tuple[Batch, ...]  # held with the same content, or so long ago that nobody knows
    conflicting: tuple[Batch, ...]  # held, or earlier in this call, with other content

    def result(self) -> StoreResult:
        """Return what the caller may tell the edge once all is committed."""
        stored: dict[int, list[int]] = {}
        for batch in (*self.fresh, *self.repeated):
            stored.setdefault(batch.lane, []).append(batch.seq)
        return StoreResult(
            {lane: Ranges.of_numbers(seqs) for lane, seqs in stored.items()},
            tuple(_refusal(lane, seq) for lane, seq in sorted(map(key_of, self.conflicting))),
        )


def settle(
    batches: Iterable[Batch], fresh: Collection[BatchKey], held: Mapping[BatchKey, bytes]
) -> Settlement:
    """Return the settlement of ``batches`` in their order.

    ``fresh`` are the identities not held before; ``held`` the sha256 of those held, as far as
    they are still known. Content is compared by sha256; the first of a call wins.
    """
    known = dict(held)
    new: list[Batch] = []
    repeated: list[Batch] = []
    conflicting: list[Batch] = []
    for batch in batches:
        key = key_of(batch)
        if key in fresh and key not in known:
            known[key] = batch.sha256
            new.append(batch)
        elif known.get(key, batch.sha256) == batch.sha256:
            repeated.append(batch)
        else:
            conflicting.append(batch)
    return Settlement(tuple(new), tuple(repeated), tuple(conflicting))


def _refusal(lane: int, seq: int) -> BatchRefusal:
    return BatchRefusal(
        lane, seq, NackCode.CONFLICT, "another body with another sha256 is held under this number"
    )

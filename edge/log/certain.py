"""What a process knows to be in the segment it wrote, when it must open that segment again.

A COMMIT that failed while flushing may have left all of its frames in the write-ahead log, and
recovery takes them for committed. Its caller was told that nothing is stored and gives the same
samples again: what is beyond the last commit that succeeded must go, and with it the note that its
messages were seen. After a crash there is nobody to give it again, and it stays, note and all.
"""

from dataclasses import dataclass

from edge.log.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Certain:
    """The end of one segment as of its last commit that succeeded."""

    first_seq: int  # of the segment
    last_seq: int  # first_seq - 1 when it is empty
    next_tail_ix: int  # of the rows of the deduplication tail


def remove_uncertain(database: Database, certain: Certain) -> bool:
    """Delete, durably, what is beyond; tell whether there was any. Errors as `Database`."""
    batches = database.row("SELECT 1 FROM batch WHERE seq > ? LIMIT 1", certain.last_seq)
    seen = database.row("SELECT 1 FROM recent WHERE ix >= ? LIMIT 1", certain.next_tail_ix)
    if batches is None and seen is None:
        return False
    with database.transaction():
        database.execute("DELETE FROM batch WHERE seq > ?", certain.last_seq)
        database.execute("DELETE FROM recent WHERE ix >= ?", certain.next_tail_ix)
    return True

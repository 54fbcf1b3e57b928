"""The standing alerts in a small file of their own, so that a start need not read the whole log.

A cache: the log's alert lane is the truth. Missing or damaged, the lane is read from its beginning.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import CodecError
from shared.sync.records import (
    RECORDS_PER_BODY_MAX,
    AlertRecord,
    decode_records,
    encode_records,
)

STANDING_FILE_NAME: Final = "alerts.standing"
STANDING_MAX: Final = 10_000  # written; the newest. More than any site's people could look at
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Standing:
    """The alerts that stood when the alert lane ended at ``through_seq``."""

    through_seq: int = 0
    alerts: tuple[AlertRecord, ...] = ()


def read_standing(state_dir: Path) -> Standing:
    """Return what was written last; nothing of lane 0 where there is no such file, or no more."""
    try:
        content = (state_dir / STANDING_FILE_NAME).read_bytes()
        return _decoded(content)
    except (OSError, CodecError):
        return Standing()


def write_standing(state_dir: Path, standing: Standing) -> None:
    """Replace the file durably; a crash leaves the old one or the new one.

    Raises:
        OSError: if it cannot be written.
    """
    fresh = state_dir / f".{STANDING_FILE_NAME}.new"
    with fresh.open("wb") as file:
        file.write(_encoded(standing))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(state_dir / STANDING_FILE_NAME)
    folder = os.open(state_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _encoded(standing: Standing) -> bytes:
    alerts = standing.alerts[-STANDING_MAX:]
    parts = [
        encode_records(alerts[first : first + RECORDS_PER_BODY_MAX])
        for first in range(0, len(alerts), RECORDS_PER_BODY_MAX)
    ]
    content = b"".join(
        [standing.through_seq.to_bytes(_NUMBER_BYTES, "big")]
        + [piece for part in parts for piece in (len(part).to_bytes(_NUMBER_BYTES, "big"), part)]
    )
    return zlib.crc32(content).to_bytes(_NUMBER_BYTES, "big") + content


def _decoded(content: bytes) -> Standing:
    checksum, rest = content[:_NUMBER_BYTES], content[_NUMBER_BYTES:]
    if zlib.crc32(rest) != int.from_bytes(checksum, "big"):
        raise CodecError("the checksum is wrong")
    through_seq, place = int.from_bytes(rest[:_NUMBER_BYTES], "big"), _NUMBER_BYTES
    alerts: list[AlertRecord] = []
    while place < len(rest):
        size = int.from_bytes(rest[place : place + _NUMBER_BYTES], "big")
        place += _NUMBER_BYTES
        records = decode_records(rest[place : place + size])
        alerts += [record for record in records if isinstance(record, AlertRecord)]
        place += size
    return Standing(through_seq, tuple(alerts))

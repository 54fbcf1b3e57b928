"""What is said on the channel `headframe_live`: which series have a newer value. Pure."""

from collections.abc import Iterable, Iterator

LIVE_CHANNEL = "headframe_live"
INBOX_CHANNEL = "headframe_inbox"
PAYLOAD_SIZE_MAX_BYTES = 7_900  # PostgreSQL takes less than 8000


def live_payloads(series_ids: Iterable[int]) -> Iterator[str]:
    """Yield payloads that together name all ``series_ids``, none above the size limit."""
    size, part = 0, list[str]()
    for series_id in series_ids:
        text = str(series_id)
        if size + len(text) + 1 > PAYLOAD_SIZE_MAX_BYTES:
            yield ",".join(part)
            size, part = 0, []
        part.append(text)
        size += len(text) + 1
    if part:
        yield ",".join(part)


def parse_live_payload(payload: str) -> list[int]:
    """Return the series ids in ``payload``; anything that is no number is somebody else's."""
    return [int(part) for part in payload.split(",") if part.isascii() and part.isdigit()]

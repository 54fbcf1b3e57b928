"""What an edge may send and has sent in one session: credit, catalogue, control frames. Pure."""

import hashlib

from central.inbox.allowance import Allowance
from central.inbox.states import HAPPENING_OF_FRAME, Happening
from shared.errors import PeerViolationError
from shared.sync.frames import Batch, Frame, Ping, Pong, Report, SeriesFrame, credit_cost_bytes

FORGED_MAX = 16  # TLS damages no bodies; a failing disk does, here and there


class Account:
    """Judges the frames of a streaming edge; only ``take`` changes it."""

    def __init__(self, *, credit_bytes: int, now_s: float) -> None:
        """Begin with ``credit_bytes`` granted and nothing received."""
        self.granted_bytes = credit_bytes  # cumulative since WELCOME, as on the wire
        self.received_bytes = 0  # cumulative, in the same measure
        self.series_seen = 0
        self._forged = 0
        self._allowance = Allowance(now_s)

    def judge(self, frame: Frame, now_s: float) -> Happening:
        """Return what ``frame`` means; changes nothing.

        Raises:
            PeerViolationError: if catalogue entries do not continue what came before.
        """
        match frame:
            case Batch() | SeriesFrame() if self._overdraws(frame):
                return Happening.OVERDRAWN
            case Batch(body=body, sha256=sha256) if hashlib.sha256(body).digest() != sha256:
                return Happening.FORGED if self._forged < FORGED_MAX else Happening.SPOILT
            case SeriesFrame():
                self._check_series(frame)
            case Report() | Ping() | Pong() if self._allowance.would_exceed(now_s):
                return Happening.FLOODED
            case _:
                pass
        return HAPPENING_OF_FRAME[type(frame)]

    def take(self, frame: Frame, happening: Happening, now_s: float) -> None:
        """Count ``frame``, which was judged to be ``happening``."""
        match frame:
            case Batch():
                self.received_bytes += credit_cost_bytes(frame)
                self._forged += happening is Happening.FORGED
            case SeriesFrame(entries=entries):
                self.received_bytes += credit_cost_bytes(frame)
                self.series_seen = max(self.series_seen, entries[-1].ix)
            case Report() | Ping() | Pong():
                self._allowance.take(now_s)
            case _:
                pass

    def give(self, cost_bytes: int) -> int:
        """Give back what is settled; return the cumulative credit to tell the edge."""
        self.granted_bytes += cost_bytes
        return self.granted_bytes

    def _overdraws(self, frame: Batch | SeriesFrame) -> bool:
        return self.received_bytes + credit_cost_bytes(frame) > self.granted_bytes

    def _check_series(self, frame: SeriesFrame) -> None:
        numbers = [entry.ix for entry in frame.entries]
        first = numbers[0]
        if first > self.series_seen + 1 or numbers != list(range(first, first + len(numbers))):
            seen = self.series_seen
            raise PeerViolationError(f"series {first}-{numbers[-1]} do not continue 1-{seen}")

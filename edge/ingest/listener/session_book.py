"""Which publishers are told that their session is still there. Pure.

A publisher's session has nothing in it: subscriptions are refused and QoS 2 is not spoken. But a
publisher of MQTT 5 that is told of no session must forget what it has sent and not seen answered,
so that sessions are remembered, also over restarts of the edge.
"""

from collections.abc import Iterable
from typing import Final

SESSIONS_MAX: Final = 10_000  # the longest unused make room; a megabyte on disk
NEVER_MS: Final = 2**62
_NEVER_S: Final = 0xFFFF_FFFF
_MS: Final = 1000

SessionKey = tuple[str, str]  # account, client identifier: nobody can take over another's
KeptSession = tuple[str, str, int]  # and when it ends, epoch ms


class SessionBook:
    """Sessions by publisher; ``has_changed`` until the caller takes it back."""

    def __init__(self, kept: Iterable[KeptSession] = ()) -> None:
        self._ends_ms: dict[SessionKey, int] = {
            (account, client_id): ends_ms for account, client_id, ends_ms in kept
        }
        self.has_changed = False

    def open(self, key: SessionKey, *, clean: bool, expiry_s: int, now_ms: int) -> bool:
        """Begin or resume the session of ``key``; return whether it was there."""
        ends_ms = self._ends_ms.pop(key, None)
        present = not clean and ends_ms is not None and ends_ms > now_ms
        if expiry_s:
            # Until it is closed: an edge that dies meanwhile must find it again.
            self._ends_ms[key] = NEVER_MS
            while len(self._ends_ms) > SESSIONS_MAX:
                del self._ends_ms[next(iter(self._ends_ms))]
        self.has_changed |= bool(expiry_s) or ends_ms is not None
        return present

    def close(self, key: SessionKey, *, expiry_s: int, now_ms: int) -> None:
        """Note that the connection of ``key`` is over and the session ends in ``expiry_s``."""
        if key not in self._ends_ms:
            return
        if not expiry_s:
            del self._ends_ms[key]
            self.has_changed = True
        elif expiry_s != _NEVER_S:
            self._ends_ms[key] = now_ms + expiry_s * _MS
            self.has_changed = True

    def kept(self, now_ms: int) -> list[KeptSession]:
        """Return what is to be remembered, the longest unused first."""
        return [(*key, ends_ms) for key, ends_ms in self._ends_ms.items() if ends_ms > now_ms]

"""The hub of the live sockets: takes new values, fans them out. Owns versions and frames.

Everything here runs on the event loop without waiting, so that a commit never waits for a reader.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from shared.access.roles import Right
from shared.clock import Clock
from shared.domain.assets import compose_asset
from shared.domain.samples import LatestValue
from shared.ids import Kind
from shared.web.conflation import AssetChange, LiveState, Mailbox, SocketFilter
from shared.web.socket_messages import CloseCode, encode_cursor, version_of
from shared.web.views import asset_view

# At most 20 frames a second for one asset: more than an eye sees, and what comes within one
# interval is encoded once for all readers.
FLUSH_INTERVAL_S = 0.05
# Where nobody listens, values are gathered this seldom: composing what no one is sent would be most
# of a process' work on a busy site. The first listener ends the wait.
UNWATCHED_INTERVAL_S = 1.0
SOCKETS_MAX = 2_000  # per process; each may hold 128 kB of buffers


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketTimes:
    """How long a socket waits for what."""

    auth_timeout_s: float = 5.0  # the contract's
    expiry_check_s: float = 1.0  # how late an expired token is noticed, and a clock that jumped
    heartbeat_s: float = 30.0  # a ping when silent; half of it for the pong
    close_timeout_s: float = 1.5  # for the other side's close frame; a stop waits for it


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of socket: its path, the name of its frames, what it carries and who may listen."""

    path: str
    name: str
    kinds: frozenset[Kind]
    right: Right
    summary: str


SENSORS = Feed(
    "/ws/sensors",
    "sensor",
    frozenset({Kind.SENSOR}),
    Right.ENVIRONMENT_READ,
    "Newest values of sensors as they arrive",
)
TELEMETRY = Feed(
    "/ws/telemetry",
    "telemetry",
    frozenset(Kind) - {Kind.SENSOR},
    Right.TELEMETRY_READ,
    "Newest values of vehicles, equipment, workers, containers and network as they arrive",
)
FEEDS = (SENSORS, TELEMETRY)


class Subscriber:
    """One reader: its mailbox, and the event that wakes its writer."""

    def __init__(self, feed: Feed, user_id: str, mailbox: Mailbox) -> None:
        self.feed = feed
        self.user_id = user_id
        self.mailbox = mailbox
        self.ready = asyncio.Event()
        self.revoked = asyncio.Event()

    def wake(self) -> None:
        """Wake the writer if there is something to be sent."""
        if len(self.mailbox):
            self.ready.set()


class SocketHub:
    """All live sockets of one process."""

    def __init__(
        self, clock: Clock, *, stale_after_s: float, times: SocketTimes | None = None
    ) -> None:
        self.times = times or SocketTimes()
        self._clock = clock
        self._stale_after_s = stale_after_s
        self._epoch = secrets.token_hex(4)
        self._state = LiveState()
        self._subscribers: set[Subscriber] = set()
        self._sockets = 0
        self._watched = asyncio.Event()
        self._flush_timer: asyncio.TimerHandle | None = None
        self._flushed_at_s = float("-inf")
        # What the last flush handed out, and its JSON once somebody was sent it: readers that keep
        # up and want all metrics get the same text.
        self._shared: dict[AssetChange, str | None] = {}
        self._closing = False

    @property
    def socket_count(self) -> int:
        """Return how many sockets are open, signed in or not."""
        return self._sockets

    def publish(self, site: str, values: Sequence[LatestValue]) -> None:
        """Take values of ``site`` that are durable; they are sent within ``FLUSH_INTERVAL_S``.

        Values older than what is held for their series are left out: backfill is not live.
        """
        self._state.absorb(value for value in values if value.series.name.site == site)
        if self._state.has_fresh and self._flush_timer is None and not self._closing:
            wait_s = self._flushed_at_s + FLUSH_INTERVAL_S - self._clock.monotonic_s()
            loop = asyncio.get_running_loop()
            self._flush_timer = loop.call_later(max(wait_s, 0.0), self.flush)

    async def pause(self, interval_s: float) -> None:
        """Return after ``interval_s``; without a socket after ``UNWATCHED_INTERVAL_S``, if longer.

        Returns at once when the first socket opens.
        """
        if self._watched.is_set():
            await asyncio.sleep(interval_s)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(interval_s, UNWATCHED_INTERVAL_S)):
                await self._watched.wait()

    def flush(self) -> None:
        """Hand everything new to the readers now."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._flushed_at_s = self._clock.monotonic_s()
        changes = self._state.take_fresh()
        self._shared = dict.fromkeys(changes)
        for subscriber in self._subscribers:
            for change in changes:
                subscriber.mailbox.offer(change)
            subscriber.wake()

    def open_socket(self) -> bool:
        """Count a socket; tell whether there is room for it."""
        if self._closing or self._sockets >= SOCKETS_MAX:
            return False
        self._sockets += 1
        self._watched.set()
        return True

    def close_socket(self) -> None:
        """Count a socket as gone."""
        self._sockets -= 1
        if not self._sockets:
            self._watched.clear()

    def subscribe(
        self, feed: Feed, user_id: str, kinds: frozenset[Kind], wanted: SocketFilter
    ) -> Subscriber:
        """Return a reader of ``kinds`` that gets everything new that it wants from now on."""
        self.flush()
        subscriber = Subscriber(feed, user_id, Mailbox(kinds, wanted, self._state.version))
        self._subscribers.add(subscriber)
        return subscriber

    def change_filter(
        self,
        subscriber: Subscriber,
        kinds: frozenset[Kind],
        wanted: SocketFilter,
        resume: str | None,
    ) -> None:
        """Let ``subscriber`` read something else from now on, or from the cursor ``resume`` on."""
        self.flush()
        newest = self._state.version
        since = newest if resume is None else version_of(resume, self._epoch, newest)
        subscriber.mailbox = Mailbox(kinds, wanted, newest)
        if since < newest:
            for change in self._state.since(since):
                subscriber.mailbox.offer(change)
        subscriber.wake()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget a reader."""
        self._subscribers.discard(subscriber)

    def revoke_account(self, user_id: str) -> None:
        """Close every socket of an account with 4401."""
        for subscriber in self._subscribers:
            if subscriber.user_id == user_id:
                subscriber.revoked.set()

    def close(self) -> None:
        """Let every socket close with 1001 and refuse new ones."""
        self._closing = True
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        for subscriber in self._subscribers:
            subscriber.revoked.set()

    def close_code(self) -> CloseCode:
        """Return why a revoked reader is closed."""
        return CloseCode.GOING_AWAY if self._closing else CloseCode.UNAUTHORIZED

    def cursor(self, subscriber: Subscriber) -> str:
        """Return the cursor up to which everything has been taken from the reader's mailbox."""
        return encode_cursor(self._epoch, subscriber.mailbox.version)

    def frame(self, subscriber: Subscriber, change: AssetChange) -> str:
        """Return the data frame of ``change``, which was just taken from the mailbox."""
        skipped = change.skipped_total
        head = f'{{"type":"{subscriber.feed.name}","cursor":"{self.cursor(subscriber)}","data":'
        return head + self._data(change) + (f',"skipped":{skipped}}}' if skipped else "}")

    def _data(self, change: AssetChange) -> str:
        if change not in self._shared:
            return self._encode(change)
        text = self._shared[change]
        if text is None:
            text = self._shared[change] = self._encode(change)
        return text

    def _encode(self, change: AssetChange) -> str:
        now_ms = self._clock.utc_ms()
        asset = compose_asset(
            {**self._state.newest(change.key), **change.values},
            now_ms=now_ms,
            stale_after_s=self._stale_after_s,
        )
        changed = {name: asset.metrics[name] for name in change.values if name in asset.metrics}
        view = asset_view(replace(asset, metrics=changed), now_ms)
        return msgspec.json.encode(view).decode()

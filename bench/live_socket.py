"""A reader of a server's live values that notes when each of them arrived."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
import msgspec

from bench.accounting import COUNTER_METRIC
from bench.background import alongside
from bench.deliveries import Times
from bench.errors import BenchError
from bench.site_api import access_token
from shared.clock import Clock

_PATH = "/ws/sensors"
_SIGN_IN_TIMEOUT_S = 15.0


class _Metric(msgspec.Struct):
    value: float | int | str | bool | None
    ts: datetime


class _Asset(msgspec.Struct):
    id: str
    metrics: dict[str, _Metric]


class _Frame(msgspec.Struct):
    type: str
    data: _Asset | None = None


_frames = msgspec.json.Decoder(_Frame)


@dataclass(slots=True)
class SocketWatch:
    """What has arrived of the sources whose names begin with ``prefix``."""

    url: str
    prefix: str
    clock: Clock
    taken_ms: Times = field(default_factory=Times)  # the samples' own times
    seen_ms: Times = field(default_factory=Times)  # when the first frame with them arrived

    async def read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Note what arrives until cancelled.

        Raises:
            BenchError: if the server closes the socket.
        """
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.note(message.data, self.clock.utc_ms())
        raise BenchError(f"{self.url}{_PATH} closed the socket with {socket.close_code}")

    def note(self, frame: str, at_ms: int) -> None:
        """Take one frame that arrived at ``at_ms``."""
        asset = _frames.decode(frame).data
        if asset is None or not asset.id.startswith(self.prefix):
            return
        counter = asset.metrics.get(COUNTER_METRIC)
        if counter is None:
            return
        sample = (asset.id, _whole(counter.value))
        self.taken_ms.setdefault(sample, round(1000 * counter.ts.timestamp()))
        self.seen_ms.setdefault(sample, at_ms)


@contextlib.asynccontextmanager
async def watched_socket(
    url: str, login: tuple[str, str], prefix: str, clock: Clock
) -> AsyncGenerator[SocketWatch]:
    """Listen to the sensors of the server at ``url`` for the length of the block.

    Raises:
        BenchError: if the server does not let us in, or closes the socket meanwhile.
    """
    watch = SocketWatch(url, prefix, clock)
    async with aiohttp.ClientSession(url) as session:
        token = await access_token(session, login)
        async with session.ws_connect(_PATH) as socket:
            await _sign_in(socket, token, url)
            async with alongside(watch.read(socket)):
                yield watch


async def _sign_in(socket: aiohttp.ClientWebSocketResponse, token: str, url: str) -> None:
    await socket.send_json({"type": "auth", "token": f"Bearer {token}"})
    try:
        answer = await socket.receive(timeout=_SIGN_IN_TIMEOUT_S)
    except TimeoutError as error:
        said = f"nothing within {_SIGN_IN_TIMEOUT_S:.0f} s"
        raise BenchError(f"{url}{_PATH} answered the sign-in with {said}") from error
    is_text = answer.type is aiohttp.WSMsgType.TEXT
    if not is_text or _frames.decode(answer.data).type != "auth_ok":
        raise BenchError(f"{url}{_PATH} answered the sign-in with {answer.data!r}")


def _whole(value: float | str | bool | None) -> int:
    """Return the number of a sample, or -1 for what is none."""
    if isinstance(value, int | float) and float(value).is_integer():
        return int(value)
    return -1

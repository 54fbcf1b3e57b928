"""One connection from dialling to its end: reads frames in, writes frames out.

Owns the tasks of one connection and the frames that wait to be written. It tells everything it
sees as events and decides nothing.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from edge.errors import UplinkError
from edge.uplink.events import Cut, Event, Received, Violated, Written
from edge.uplink.transport import Connection, Dial
from shared.errors import FrameError
from shared.sync.frames import (
    Batch,
    Frame,
    SeriesFrame,
    credit_cost_bytes,
    decode_frame,
    encode_frame,
)

HANG_UP_TIMEOUT_S = 2.0  # to write what waits and to say goodbye; a dead line takes neither


_Encoded = tuple[bytes, int | None]


@dataclass(frozen=True, slots=True)
class DialAnswered:
    """The connection is there; the pump makes `Opened` of it, with a fresh HELLO."""

    congestion: str | None = None  # control the kernel uses for it


class Line:
    """A connection in the making, in use, or ending. ``run`` is its whole life."""

    def __init__(
        self,
        dial: Dial,
        *,
        connect_timeout_s: float,
        tell: Callable[[Event | DialAnswered], Awaitable[None]],
        chance: Callable[[], float],
    ) -> None:
        """``tell`` may wait, which holds up reading; ``chance`` is the dice in `Cut`."""
        self.sent_bytes = 0
        self._dial = dial
        self._connect_timeout_s = connect_timeout_s
        self._tell = tell
        self._chance = chance
        # Encoded, with what each takes from the credit.
        self._waiting: deque[_Encoded] = deque()  # series and batches, bounded by the session
        self._urgent: deque[_Encoded] = deque()  # all others, few and small
        self._work = asyncio.Event()
        self._is_hanging_up = False
        self._is_open = False
        self._is_running = False
        self._limit = asyncio.timeout(None)

    def send(self, frame: Frame) -> int:
        """Have ``frame`` written and return its size in bytes.

        Batches and series keep their order, all others go first.
        """
        encoded = encode_frame(frame)
        if isinstance(frame, Batch | SeriesFrame):
            self._waiting.append((encoded, credit_cost_bytes(frame)))
        else:
            self._urgent.append((encoded, None))
        self._work.set()
        return len(encoded)

    def hang_up(self) -> None:
        """End the connection after the urgent frames are written; batches are let go."""
        if self._is_hanging_up:
            return
        self._is_hanging_up = True
        self._waiting.clear()
        self._work.set()
        if self._is_running:
            self._set_limit(HANG_UP_TIMEOUT_S if self._is_open else 0.0)

    async def run(self) -> None:
        """Dial, converse, end; always tells `Cut` last, unless cancelled."""
        reason = "connection lost"
        try:
            async with self._limit:
                self._is_running = True
                self._set_limit(0.0 if self._is_hanging_up else self._connect_timeout_s)
                connection = await self._dial()
                self._is_open = True
                self._limit.reschedule(None)
                await self._converse(connection)
        except UplinkError as error:
            reason = str(error)
        except TimeoutError:
            reason = self._timeout_reason()
        except Exception as error:  # noqa: BLE001 the outermost edge of this task
            reason = f"{type(error).__name__}: {error}"
        finally:
            self._is_running = False
        await self._tell(Cut(reason, self._chance()))

    def _set_limit(self, duration_s: float) -> None:
        self._limit.reschedule(asyncio.get_running_loop().time() + duration_s)

    def _timeout_reason(self) -> str:
        if self._is_hanging_up:
            return "hung up without an answer" if self._is_open else "dialling was given up"
        return f"cannot connect: no answer in {self._connect_timeout_s:g} s"

    async def _converse(self, connection: Connection) -> None:
        await self._tell(DialAnswered(connection.congestion))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(connection), name="uplink-read")
                group.create_task(self._write(connection), name="uplink-write")
        except* UplinkError as errors:
            raise UplinkError(str(errors.exceptions[0])) from errors
        finally:
            with contextlib.suppress(OSError):
                await connection.abort()

    async def _read(self, connection: Connection) -> None:
        while True:
            encoded = await connection.receive()
            try:
                event: Event = Received(decode_frame(encoded))
            except FrameError as error:
                event = Violated(str(error))
            await self._tell(event)

    async def _write(self, connection: Connection) -> None:
        while True:
            while self._urgent or self._waiting:
                queue = self._urgent or self._waiting
                encoded, cost_bytes = queue.popleft()
                await connection.send(encoded)
                if cost_bytes is not None:
                    self.sent_bytes += len(encoded)
                    await self._tell(Written(cost_bytes))
                await asyncio.sleep(0)  # others' turn; and a lost connection is noticed only then
            if self._is_hanging_up:
                await connection.close()
                raise UplinkError("hung up")
            self._work.clear()
            await self._work.wait()

"""A stand-in for the satellite link: a TCP relay that can be cut and has a one-way delay.

It relays bytes unread (the session inside is TLS end to end). While the link is cut nothing passes
and connections stay half open, as on a real outage; the two ends must find out for themselves.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from deploy.errors import SiteError, SiteUsageError
from shared.logs import get_log

CHUNK_BYTES = 16_384
CUT_RESET_S = 20.0  # after so long without a link the relay's sockets are reset, as a modem does

_log = get_log("satellite")


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """Where the relay listens and whom it calls."""

    listen_host: str
    listen_port: int
    target_host: str
    target_port: int
    delay_s: float = 0.0


def parse_relay(text: str, delay_ms: float) -> RelayAddress:
    """Return the addresses of ``HOST:PORT=HOST:PORT`` (listen = target).

    Raises:
        SiteUsageError: if ``text`` has another form.
    """
    listen, separator, target = text.partition("=")
    ends: list[tuple[str, int]] = []
    for end in (listen, target):
        host, colon, port_text = end.rpartition(":")
        if not separator or not colon or not port_text.isdigit() or not int(port_text) < 65_536:
            raise SiteUsageError(f"--satellite: expected HOST:PORT=HOST:PORT, got {text!r}")
        ends.append((host, int(port_text)))
    return RelayAddress(*ends[0], *ends[1], delay_s=delay_ms / 1000.0)


@dataclass(slots=True)
class Link:
    """The state of the link; the scenario sets it, the relay obeys."""

    up: asyncio.Event = field(default_factory=asyncio.Event)

    def set_up(self, *, up: bool) -> None:
        """Cut or restore the link; says so once per change."""
        if up == self.up.is_set():
            return
        if up:
            self.up.set()
        else:
            self.up.clear()
        _log.info("satellite link is up" if up else "satellite link is cut")


@asynccontextmanager
async def open_relay(address: RelayAddress) -> AsyncGenerator[Link]:
    """Run the relay until the end of the block; the link starts up.

    Raises:
        SiteError: if the listening port is taken.
    """
    link = Link()
    link.up.set()
    async with asyncio.TaskGroup() as group:
        relays: set[asyncio.Task[None]] = set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            relay = group.create_task(_relay(address, link, reader, writer))
            relays.add(relay)
            relay.add_done_callback(relays.discard)

        try:
            server = await asyncio.start_server(serve, address.listen_host, address.listen_port)
        except OSError as error:
            where = f"{address.listen_host}:{address.listen_port}"
            raise SiteError(f"--satellite: cannot listen on {where}: {error.strerror}") from error
        async with server:
            try:
                yield link
            finally:
                server.close()
                for relay in list(relays):
                    relay.cancel()


async def _relay(
    address: RelayAddress,
    link: Link,
    near_reader: asyncio.StreamReader,
    near_writer: asyncio.StreamWriter,
) -> None:
    far_writer: asyncio.StreamWriter | None = None
    try:
        await link.up.wait()
        far_reader, far_writer = await asyncio.open_connection(
            address.target_host, address.target_port
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(near_reader, far_writer, link, address.delay_s))
            group.create_task(_pump(far_reader, near_writer, link, address.delay_s))
    except* OSError as errors:
        _log.debug("relayed connection ended", cause=str(errors.exceptions[0]))
    finally:
        for writer in (near_writer, far_writer):
            if writer is not None:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, delay_s: float
) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        if not link.up.is_set():
            try:
                async with asyncio.timeout(CUT_RESET_S):
                    await link.up.wait()
            except TimeoutError as error:
                raise ConnectionResetError("the link stayed cut") from error
        if delay_s:
            await asyncio.sleep(delay_s)
        writer.write(chunk)
        await writer.drain()
    raise ConnectionResetError("closed by its peer")

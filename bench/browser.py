"""One tab of a real Chromium, driven over the DevTools protocol: no driver, no further package.

No events are asked for, so that every message that comes is the answer to the last command.
"""

import asyncio
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.children import LOOK_EVERY_S, answer_of, started
from bench.errors import BenchError
from shared.clock import Clock

START_TIMEOUT_S = 60.0  # a first start writes a profile
COMMAND_TIMEOUT_S = 30.0
SHOW_TIMEOUT_S = 60.0  # until the page shows what is waited for
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--window-size=1680,1000",  # a control room's screen with a browser's frame
)
_SHOWN_MAX_CHARACTERS = 1_000  # of the page in a message


def installed_browser() -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    return next((path for name in _PROGRAMS if (path := shutil.which(name))), None)


@dataclass(slots=True)
class Tab:
    """A tab, in view. Everything here raises BenchError if the browser does not answer in time."""

    pid: int  # of the browser
    clock: Clock
    _socket: aiohttp.ClientWebSocketResponse
    _last_id: int = 0

    async def version(self) -> str:
        """Return name and version of the browser."""
        answer = await self.command("Browser.getVersion")
        return str(answer["product"])

    async def go(self, url: str) -> None:
        """Open ``url``."""
        answer = await self.command("Page.navigate", url=url)
        if "errorText" in answer:
            raise BenchError(f"the browser cannot open {url}: {answer['errorText']}")

    async def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression as JSON carries it."""
        answer = await self.command("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BenchError(f"a script failed on the page: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, condition: str, what: str) -> None:
        """Return when the expression ``condition`` is true on the page."""
        until_s = self.clock.monotonic_s() + SHOW_TIMEOUT_S
        while not await self.run(condition):
            if self.clock.monotonic_s() > until_s:
                shown = str(await self.run("document.body?.innerText"))[:_SHOWN_MAX_CHARACTERS]
                raise BenchError(f"no {what} within {SHOW_TIMEOUT_S:.0f} s; shown:\n{shown}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def type(self, css: str, text: str) -> None:
        """Put ``text`` into a field as if it were typed."""
        await self.run(f"document.querySelector({json.dumps(css)}).focus()")
        await self.command("Input.insertText", text=text)

    async def press_enter(self) -> None:
        """Press Enter where the focus is."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        await self.command("Input.dispatchKeyEvent", type="keyDown", **key)
        await self.command("Input.dispatchKeyEvent", type="keyUp", **key)

    async def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        try:
            await self._socket.send_json(message)
            answer = await self._socket.receive(timeout=COMMAND_TIMEOUT_S)
        except TimeoutError as error:
            said = f"nothing within {COMMAND_TIMEOUT_S:.0f} s"
            raise BenchError(f"the browser answered {method} with {said}") from error
        except ConnectionError as error:
            raise BenchError(f"the browser ended before {method}") from error
        if answer.type is not aiohttp.WSMsgType.TEXT:
            raise BenchError(f"the browser ended during {method}")
        content: dict[str, Any] = json.loads(answer.data)
        if content.get("id") != self._last_id or "error" in content:
            raise BenchError(f"the browser answered {method} with {answer.data}")
        return content["result"]


@contextlib.asynccontextmanager
async def open_tab(program: str, folder: Path, clock: Clock) -> AsyncGenerator[Tab]:
    """Start the browser ``program`` with an empty profile below ``folder``; end it at the end.

    Raises:
        BenchError: if it does not come up; the message holds the end of its output.
    """
    output = folder / "browser.log"
    with tempfile.TemporaryDirectory(
        prefix="browser-", dir=folder, ignore_cleanup_errors=True
    ) as profile:
        async with (
            started(output, program, *_arguments(profile)) as process,
            aiohttp.ClientSession() as session,
        ):
            address = await answer_of(
                process,
                lambda: _first_tab(session, Path(profile) / "DevToolsActivePort"),
                timeout_s=START_TIMEOUT_S,
                output=output,
                failed="the browser did not come up",
            )
            async with session.ws_connect(address, max_msg_size=0) as socket:
                yield Tab(process.pid, clock, socket)


def _arguments(profile: str) -> list[str]:
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []  # it starts as root only so
    return [*_FLAGS, *as_root, f"--user-data-dir={profile}", "about:blank"]


async def _first_tab(session: aiohttp.ClientSession, port_file: Path) -> str | None:
    """Return the DevTools address of the first tab once the browser has told its port."""
    port = _port_in(port_file)
    if port is None:
        return None
    try:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
            targets: list[dict[str, str]] = await response.json(content_type=None)
    except aiohttp.ClientError:
        return None
    tabs = [each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page"]
    return tabs[0] if tabs else None


def _port_in(port_file: Path) -> str | None:
    """Return the port in the browser's file, which has a second line once it is written whole."""
    try:
        port, _, path = port_file.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return None
    return port if path else None

"""A real Chromium, driven as a person would: waits for what is shown, never for time."""

import json
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

Found = TypeVar("Found")

NETWORK_SCHEMES = frozenset({"http", "https", "ws", "wss"})
WAIT_S = 60.0  # two busy cores; nothing here is about speed
POLL_S = 0.05
SHOWN_MAX = 1_500  # characters of the page in a failure
SIZE = (1680, 1000)  # a control room's screen with a browser's frame
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(folder: Path, size: tuple[int, int] = SIZE) -> Generator["Page"]:
    """Start a browser with an empty profile in ``folder`` and end it."""
    options: Any = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (*FLAGS, f"--user-data-dir={folder}", f"--window-size={size[0]},{size[1]}"):
        options.add_argument(flag)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = Service(shutil.which("chromedriver") or "chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    page = Page(driver)
    page.resize(*size)
    try:
        yield page
    finally:
        driver.quit()


@dataclass
class Page:
    """What a person at the screen can do and see."""

    driver: Any  # selenium tells the types of half of what it takes and gives

    # --- doing

    def start_over(self) -> None:
        """Be as a browser just started: a new tab has no session, and no choice is remembered."""
        used = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        fresh = self.driver.current_window_handle
        self.driver.switch_to.window(used)
        self._devtools("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        self.driver.close()
        self.driver.switch_to.window(fresh)
        self.resize(*SIZE)
        self.complaints()
        self.asked_hosts()

    def open(self, url: str) -> None:
        self.driver.get(url)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", size)

    def prefer_dark(self) -> None:
        wish = {"name": "prefers-color-scheme", "value": "dark"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [wish]})

    def paint_late(self) -> None:
        """Be a machine too busy to paint: what the next pages do after a paint, they do late."""
        source = """
            const at = setTimeout;
            requestAnimationFrame = (draw) => at(() => draw(performance.now()), 1000);
            setTimeout = (act, ms, ...rest) => at(act, ms === 35 ? 1000 : ms, ...rest);
        """  # 35 ms: after these Preact no longer waits for a frame
        self._devtools("Page.addScriptToEvaluateOnNewDocument", {"source": source})

    def sign_in(self, username: str, password: str) -> None:
        self.see("input[name=username]").send_keys(username)
        self.see("input[name=password]").send_keys(password + Keys.ENTER)

    def type(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, css: str) -> None:
        def clicked() -> bool:
            self.see(css).click()
            return True

        self.until(clicked, f"{css} to be clicked")

    def drag(self, css: str, from_share: float, to_share: float) -> None:
        """Drag over an element from one part of its width to another."""
        element = self.see(css)
        width = int(element.size["width"])
        start, end = (round((share - 0.5) * width) for share in (from_share, to_share))
        actions = ActionChains(self.driver, duration=50)
        actions.move_to_element_with_offset(element, start, 0).click_and_hold()
        actions.move_by_offset((end - start) // 2, 0).move_by_offset((end - start) // 2, 0)
        actions.release().perform()

    # --- seeing

    def see(self, css: str, containing: str = "") -> Any:
        """Return the first visible element of ``css`` whose text has ``containing``, in time."""

        def visible() -> Any:
            found = self.driver.find_elements(By.CSS_SELECTOR, css)
            return next((e for e in found if e.is_displayed() and containing in e.text), None)

        return self.until(visible, f"{css} with {containing!r}")

    def see_none(self, css: str, containing: str = "") -> None:
        """Wait until nothing of ``css`` has ``containing``."""
        self.until(lambda: all(containing not in t for t in self.texts(css)), f"no {css}")

    def texts(self, css: str) -> list[str]:
        script = f"[...document.querySelectorAll({json.dumps(css)})].map(e => e.innerText)"
        return [str(text) for text in self.run(f"return {script}")]

    def until(self, holds: Callable[[], Found], what: str) -> Found:
        """Return what ``holds`` returns once it is true."""

        def looked(_: object) -> Found | None:
            try:
                return holds()
            except StaleElementReferenceException:
                return None  # drawn anew while we looked

        try:
            found = WebDriverWait(self.driver, WAIT_S, POLL_S).until(looked)
        except TimeoutException as error:
            shown = self.texts("body")[0][:SHOWN_MAX]
            raise AssertionError(f"waited {WAIT_S:g} s for {what}; shown:\n{shown}") from error
        assert found is not None
        return found

    def reading(self, series: str) -> Any:
        """Return the row of a series in the live values."""
        return self.see(f'.row[data-series="{series}"]')

    def cell(self, series: str, column: str) -> str:
        """Return the text of one cell of a reading, whatever is redrawn meanwhile."""

        def text() -> tuple[str]:
            return (self.reading(series).find_element(By.CSS_SELECTOR, f".c-{column}").text,)

        return self.until(text, f"{column} of {series}")[0]

    def focused(self) -> str:
        """Return what has the keyboard: its id, else its label or text."""
        script = (
            "const e = document.activeElement;"
            "return e.id || e.getAttribute('aria-label') || e.name || e.textContent || ''"
        )
        return str(self.run(script)).strip()

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def ground(self) -> str:
        """Return the colour behind everything."""
        return str(self.run("return getComputedStyle(document.body).backgroundColor"))

    # --- what went on behind

    def complaints(self) -> list[str]:
        """Return the errors and warnings on the console since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")
        return [str(e["message"]) for e in entries if e["level"] in {"SEVERE", "WARNING"}]

    def asked_hosts(self) -> set[str]:
        """Return the hosts that the page asked for anything since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log("performance")
        messages: list[dict[str, Any]] = [json.loads(e["message"])["message"] for e in entries]
        asked = [
            urlsplit(str(message["params"].get("request", message["params"])["url"]))
            for message in messages
            if message["method"] in {"Network.requestWillBeSent", "Network.webSocketCreated"}
        ]
        return {url.netloc for url in asked if url.scheme in NETWORK_SCHEMES}

    def screenshot(self, file: Path) -> None:
        self.driver.save_screenshot(str(file))

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(command, parameters)

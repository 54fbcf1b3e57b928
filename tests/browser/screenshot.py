"""Photographs the page of a running site, for README and for those who change how it looks.

Run it beside ``./deploy/up``::

    python -m tests.browser.screenshot --credentials .state/credentials.json --out page.png
"""

import argparse
import json
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from tests.support.browser import Page, chromium

DESCRIPTION = "Sign in to a running site and write a picture of its page."
SETTLED = """
    const loading = document.querySelector('.range-line .loading, .empty');
    return document.querySelector('#live-state.good') !== null && loading === null
"""


def main() -> None:
    """Write the picture that the arguments ask for."""
    asked = arguments()
    account = json.loads(asked.credentials.read_text())[asked.role]
    width, height = (int(part) for part in asked.size.split("x"))
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium(Path(folder), (width, height)) as page,
    ):
        if asked.dark:
            page.prefer_dark()
        page.open(urljoin(asked.url, f"/#{asked.view}"))
        page.sign_in(account["username"], account["password"])
        page.until(lambda: bool(page.run(SETTLED)), "live values and a drawn chart")
        watch(page, asked.watch_s)
        page.screenshot(asked.out)
    print(f"{asked.out}: {width} x {height}")  # noqa: T201 - a command's answer


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--url", default="http://127.0.0.1:8000/", help="central or edge")
    parser.add_argument("--credentials", type=Path, default=Path(".state/credentials.json"))
    parser.add_argument("--role", default="admin", help="whose account in the credentials")
    parser.add_argument("--view", default="range=1h", help="what stands after # in the address")
    parser.add_argument("--size", default="1680x1000", help="of the window, in pixels")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--watch-s", type=float, default=20.0, help="let trails and trends grow")
    parser.add_argument("--out", type=Path, default=Path("page.png"))
    return parser.parse_args()


def watch(page: Page, duration_s: float) -> None:
    """Let the page go on for a while, by its own clock."""
    page.driver.set_script_timeout(duration_s + 30)
    page.driver.execute_async_script("setTimeout(arguments[1], arguments[0] * 1000)", duration_s)


if __name__ == "__main__":
    main()

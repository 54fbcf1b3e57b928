"""A tab of a real Chromium: signs in at a form and notes what is painted."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.browser import installed_browser, open_tab
from bench.deliveries import Times
from bench.errors import BenchError
from bench.page_watch import look_at_values, numbers_shown
from shared.clock import SystemClock
from tests.support.eventually import eventually

LOGIN = ("analyst@kaduna.test", 'quo"te')
# Counts to 3 in a row that is there once the right user has signed in.
PAGE = """<!doctype html><body><form>
<input name=username><input name=password type=password><button></button></form><script>
document.querySelector('form').onsubmit = (event) => {
  event.preventDefault();
  const given = new FormData(event.target);
  if (given.get('username') !== 'analyst@kaduna.test' || given.get('password') !== 'quo"te') return;
  document.body.innerHTML = '<p id=live-state>Live</p><div class=row'
    + ' data-series="kaduna/sensor/a/reading_number"><span class=c-value>1,000</span></div>';
  const text = document.querySelector('.c-value').firstChild;
  let last = 0;
  setInterval(() => { if (last < 3) text.data = `1,00${++last}`; }, 300);
};
</script>"""


async def page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@pytest.mark.needs_browser
async def test_numbers_are_noted_when_they_are_painted(tmp_path: Path) -> None:
    clock, program = SystemClock(), installed_browser()
    assert program is not None
    application = web.Application()
    application.router.add_get("/", page)
    async with TestServer(application) as server, open_tab(program, tmp_path, clock) as tab:
        began_ms = clock.utc_ms()
        await look_at_values(tab, str(server.make_url("")).rstrip("/"), LOGIN, "a")
        shown: Times = {}

        async def is_at_the_end() -> bool:
            shown.update(await numbers_shown(tab))
            return ("a", 1003) in shown

        await eventually(is_at_the_end)
    last = [shown["a", number] for number in (1002, 1003)]
    assert began_ms < last[0] < last[1] <= clock.utc_ms()


@pytest.mark.needs_browser
async def test_a_page_without_a_form_is_told(tmp_path: Path) -> None:
    program = installed_browser()
    assert program is not None
    async with open_tab(program, tmp_path, SystemClock()) as tab:
        with pytest.raises(BenchError, match="cannot open"):
            await look_at_values(tab, "http://127.0.0.1:1", LOGIN, "a")


async def test_a_browser_that_does_not_come_up_is_told(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho no display\nexit 1\n")
    program.chmod(0o700)
    with pytest.raises(BenchError, match="did not come up:\nno display"):
        async with open_tab(str(program), tmp_path, SystemClock()):
            pass

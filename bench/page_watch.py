"""The page of a server as somebody looks at it: what its live values show, and since when."""

from urllib.parse import urlencode

from bench.browser import Tab
from bench.deliveries import Times, first_shown

# A frame drawn by the first callback is on the screen before the second one runs, so a time is at
# most two frames (33 ms) too late and never too early.
_NOTE_WHAT_IS_PAINTED = """
(() => {
  const shown = [];
  const texts = new Map();
  const look = () => {
    for (const cell of document.querySelectorAll('.row[data-series] .c-value')) {
      const { series } = cell.closest('.row').dataset;
      const text = cell.textContent;
      if (texts.get(series) === text) continue;
      texts.set(series, text);
      const note = () => shown.push([series, text, Date.now()]);
      requestAnimationFrame(() => requestAnimationFrame(note));
    }
  };
  const changes = { childList: true, characterData: true, subtree: true };
  new MutationObserver(look).observe(document.body, changes);
  globalThis.shownToHeadframeBench = shown;
})()
"""


async def look_at_values(tab: Tab, url: str, login: tuple[str, str], search: str) -> None:
    """Sign in at the form of the page at ``url`` and watch the live values that ``search`` finds.

    Raises:
        BenchError: if the page does not get that far.
    """
    username, password = login
    await tab.go(f"{url}/#{urlencode({'view': 'values', 'q': search})}")
    await tab.until("document.querySelector('input[name=password]') !== null", "sign-in form")
    await tab.type("input[name=username]", username)
    await tab.type("input[name=password]", password)
    await tab.press_enter()
    live = "document.querySelector('#live-state')?.textContent.includes('Live')"
    await tab.until(live, "live connection of the page")
    await tab.run(_NOTE_WHAT_IS_PAINTED)


async def numbers_shown(tab: Tab) -> Times:
    """Return when each sample number was first on the screen since ``look_at_values``."""
    return first_shown(await tab.run("shownToHeadframeBench"))

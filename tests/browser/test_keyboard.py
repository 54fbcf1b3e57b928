"""The whole page without a mouse."""

from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.browser import Page
from tests.support.staged_site import PASSWORD, StagedSite

pytestmark = pytest.mark.needs_browser

LONGEST_WALK = 80  # tab stops of the overview, with room
SHOWS_FOCUS = """
    const e = document.activeElement;
    return e === document.body || getComputedStyle(e).outlineStyle !== 'none'
"""


def test_walks_from_sign_in_to_a_charted_value(page: Page, site: StagedSite) -> None:
    page.open(site.url)
    page.see("input[name=username]")
    page.type("analyst@kaduna.test", Keys.TAB, PASSWORD, Keys.ENTER)
    page.see("#live-state", "Live")
    page.reading("kaduna/sensor/gas-n1/ch4_pct")
    page.type(Keys.TAB)
    assert page.focused() == "Skip to the values"
    page.type(Keys.ENTER)
    page.until(lambda: page.focused() == "values", "the list to have the focus")
    page.type(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    page.see('.legend tr[data-series="kaduna/sensor/gas-n1/co_ppm"]')


def test_reaches_every_tool_by_tab_and_shows_where_it_is(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    seen: list[str] = []
    for _ in range(LONGEST_WALK):
        page.type(Keys.TAB)
        seen.append(page.focused())
        assert page.run(SHOWS_FOCUS), seen[-1][:80]
    for wanted in ("values", "values-search", "map", "chart", "series-search", "Help and keys"):
        assert wanted in seen, (wanted, seen)


def test_lists_its_keys_on_question_mark(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.type("?")
    page.see("dialog.help", "Search the live values")
    page.type(Keys.ESCAPE)
    page.see_none("dialog.help[open]")


def test_switches_views_by_number_and_back_by_history(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.type("3")
    page.see(".tab[aria-current=page]", "Map")
    page.driver.back()
    page.see(".tab[aria-current=page]", "Overview")


def test_single_keys_can_be_turned_off(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.type("?")
    page.click("dialog.help input[type=checkbox]")
    page.type(Keys.ESCAPE, "3")
    page.see(".tab[aria-current=page]", "Overview")


def test_moves_and_follows_on_the_map_from_the_list(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst", "#view=map")
    page.see(".asset-list", "truck-03")
    page.run("document.querySelectorAll('.asset-list button')[2].focus()")
    page.type(Keys.ENTER)
    page.see(".asset-card", "truck-03")
    page.run("document.getElementById('map').focus()")
    page.type("f")
    page.see(".asset-card button[aria-pressed=true]", "Stop following")


def test_filters_the_map_by_level(looking_as: Callable[..., Page]) -> None:
    page = looking_as("safety_officer", "#view=map")
    page.see(".asset-list", "worker-01")
    page.see(".segments button", "surface").click()
    page.see_none(".asset-list", "worker-01")
    page.see(".asset-list", "truck-01")


def test_tells_times_in_the_zone_that_was_chosen(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.click(".clock")
    page.see(".zone-menu select").send_keys("Africa/Lagos")
    page.see(".clock .zone", "UTC+01:00 site time")
    page.type(Keys.ESCAPE)
    page.type("z")
    page.see(".clock .zone", "UTC")
    page.driver.refresh()
    page.see(".clock .zone", "UTC")

"""Signing in and out, and what a session survives."""

from collections.abc import Callable

import pytest

from tests.support.browser import Page
from tests.support.staged_site import StagedSite

pytestmark = pytest.mark.needs_browser

GAS = "kaduna/sensor/gas-n1/ch4_pct"


def test_says_that_the_password_is_wrong_and_keeps_the_name(page: Page, site: StagedSite) -> None:
    page.open(site.url)
    page.sign_in("analyst@kaduna.test", "wrong")
    page.see("#sign-in-problem", "not right")
    assert page.see("input[name=username]").get_property("value") == "analyst@kaduna.test"


def test_shows_the_site_after_sign_in(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.see("h1.site", "kaduna")
    page.see(".account", "analyst")
    page.reading(GAS)


def test_keeps_the_session_over_a_reload_of_the_page(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.driver.refresh()
    page.reading(GAS)


def test_shows_nothing_of_the_mine_after_sign_out(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.reading(GAS)
    page.click(".account button")
    page.see("input[name=password]")
    assert page.texts(".row.reading") == []
    page.driver.refresh()
    page.see("input[name=password]")


def test_a_copied_tab_signs_in_by_itself_and_the_first_goes_on(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    first = page.driver.current_window_handle
    page.run(f"window.open('{site.url}')")  # takes the session along, as duplicating does
    page.until(lambda: len(page.driver.window_handles) == 2, "the second tab")
    page.driver.switch_to.window(next(h for h in page.driver.window_handles if h != first))
    page.see(".sign-in", "copy of another")
    page.driver.close()
    page.driver.switch_to.window(first)
    page.driver.refresh()
    page.reading(GAS)


def test_takes_the_session_up_when_the_server_comes_back(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    site.is_down = True
    page.driver.refresh()
    page.see(".starting", "Trying again")
    site.is_down = False
    page.reading(GAS)


def test_says_why_the_server_refuses_a_sign_in(page: Page, site: StagedSite) -> None:
    site.is_down = True
    page.open(site.url)
    page.sign_in("analyst@kaduna.test", site.password)
    page.see("#sign-in-problem", "no answer today")


def test_says_so_when_the_server_does_not_answer(page: Page, site: StagedSite) -> None:
    page.open(site.url)
    page.see("input[name=username]")
    site.stop()
    page.sign_in("analyst@kaduna.test", "any")
    page.see("#sign-in-problem", "does not answer")

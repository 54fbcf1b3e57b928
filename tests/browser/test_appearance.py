"""Light and dark, small screens, and nothing but this server."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Page
from tests.support.staged_site import PASSWORD, StagedSite

pytestmark = pytest.mark.needs_browser


def brightness(color: str) -> int:
    """Return the sum of red, green and blue of ``rgb(r, g, b)``."""
    return sum(int(part) for part in color[4:-1].split(","))


def test_follows_the_systems_wish_for_dark(page: Page, site: StagedSite) -> None:
    page.prefer_dark()
    page.open(site.url)
    page.see("input[name=username]")
    assert brightness(page.ground()) < 150


def test_switches_to_dark_and_remembers_it(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    assert brightness(page.ground()) > 600
    page.type("t")
    page.until(lambda: brightness(page.ground()) < 150, "dark")
    page.driver.refresh()
    page.see("#live-state", "Live")
    assert brightness(page.ground()) < 150


@pytest.mark.parametrize("size", [(768, 1024), (1024, 768), (1280, 800), (1920, 1080)])
def test_fits_the_width_of_the_screen(page: Page, site: StagedSite, size: tuple[int, int]) -> None:
    page.resize(*size)
    page.open(site.url)
    page.sign_in("analyst@kaduna.test", PASSWORD)
    page.see("#live-state", "Live")
    page.see(".plot canvas")
    assert page.run("return document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("view", ["overview", "values", "map", "trends"])
def test_asks_no_other_host_and_nothing_is_wrong_on_the_console(
    site: StagedSite, looking_as: Callable[..., Page], view: str
) -> None:
    page = looking_as("admin", f"#view={view}")
    page.see("main." + view)
    page.type("?")
    page.see("dialog.help")
    assert page.complaints() == []
    assert page.asked_hosts() == {urlsplit(site.url).netloc}


@pytest.mark.parametrize(("viewer", "shown"), [("swagger-ui", "#swagger-ui"), ("redoc", "#redoc")])
def test_brings_the_viewers_of_the_api(site: StagedSite, viewer: str, shown: str) -> None:
    for page in ("central", "edge"):
        folder = site.root / page / "static" / "vendor" / viewer
        assert (folder / "init.js").read_text().count(shown.removeprefix("#")) > 0

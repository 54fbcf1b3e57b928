"""A browser and a staged site for each test; a real site for those of test_real_site.py."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.browser import Page, chromium
from tests.support.staged_site import PASSWORD, ROOT, StagedSite


@pytest.fixture(scope="session")
def built_pages() -> None:
    for page in ("central", "edge"):
        if not (ROOT / page / "static" / "index.html").is_file():
            pytest.fail("the pages are not built: cd shared/pages && npm ci && npm run build")


@pytest.fixture
def site(built_pages: None) -> Iterator[StagedSite]:
    staged = StagedSite().start()
    yield staged
    staged.stop()


@pytest.fixture
def edge_site(built_pages: None) -> Iterator[StagedSite]:
    staged = StagedSite(page="edge").start()
    yield staged
    staged.stop()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as started:
        yield started


@pytest.fixture
def page(browser: Page) -> Page:
    browser.start_over()
    return browser


@pytest.fixture
def looking_as(page: Page, site: StagedSite) -> Callable[..., Page]:
    """Sign in with a role and look at the page, by default at its overview."""

    def look(role: str, view: str = "") -> Page:
        page.open(f"{site.url}/{view}")
        page.sign_in(f"{role}@kaduna.test", PASSWORD)
        page.see("#live-state", "Live")
        return page

    return look

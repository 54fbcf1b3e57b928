"""The map, whatever single receivers say."""

from collections.abc import Callable

import pytest

from tests.support.browser import Page
from tests.support.staged_site import StagedSite

pytestmark = pytest.mark.needs_browser

SCALE = ".leaflet-control-scale-line"
SHOWN = """
    const box = document.getElementById('map').getBoundingClientRect();
    return [...document.querySelectorAll('.asset-icon .symbol.vehicle')].filter((symbol) => {
      const { left, right, top, bottom } = symbol.getBoundingClientRect();
      return left > box.left && right < box.right && top > box.top && bottom < box.bottom;
    }).length
"""


def is_close(page: Page) -> bool:
    """The scale bar is of metres, not of kilometres."""
    return page.texts(SCALE)[0].split()[-1] == "m"


def test_bad_fixes_do_not_move_the_map_and_are_named(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    site.device("truck-02").fix = (0.0, 0.0)
    site.device("truck-05").fix = (100.0, 200.0)
    site.device("truck-05").fix_quality = "out_of_range"
    page = looking_as("analyst", "#view=map")
    page.see(".map-word.astray", "2 assets far away or without a valid place:")
    page.until(lambda: page.run(SHOWN) == 5, "the five good trucks")
    assert is_close(page)
    assert any(
        "truck-05" in text and "out of range" in text for text in page.texts(".asset-list li")
    )
    page.see(".map-word.astray button", "truck-05").click()
    page.see(".asset-card .badge", "out of range")
    page.see(".map-word.astray button", "truck-02").click()
    page.until(lambda: page.run(SHOWN) == 1, "the map to show where the lost truck says it is")


def test_a_newcomer_far_away_does_not_take_the_view(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    page.until(lambda: page.run(SHOWN) == 7, "the seven trucks")
    site.device("truck-03").fix = (0.0, 0.0)
    page.see(".map-word.astray", "truck-03")
    assert page.run(SHOWN) == 6
    assert is_close(page)
    page.see(".chip.flagged").click()
    site.device("truck-03").fix_quality = "out_of_range"
    page.see(".word-row", "truck-03: position out of range")

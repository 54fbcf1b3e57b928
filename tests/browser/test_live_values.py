"""Live values: fresh, stale, interrupted, searched."""

from collections.abc import Callable

import pytest

from tests.support.browser import Page
from tests.support.staged_mine import Wave
from tests.support.staged_site import StagedSite

pytestmark = pytest.mark.needs_browser

GAS = "kaduna/sensor/gas-n1/ch4_pct"


def still(value: float) -> Wave:
    return Wave(value, 0.0, 1.0)


def test_shows_a_value_that_a_frame_brings(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    page.reading(GAS)
    site.device("gas-n1").waves["ch4_pct"] = still(1.373)
    page.until(lambda: page.cell(GAS, "value") == "1.373", "the new value")
    assert page.cell(GAS, "unit") == "%"
    assert page.cell(GAS, "quality") == "good"


def test_shows_a_device_that_it_has_never_seen(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst", "#q=gas-x9")
    page.see(".empty", "No reading matches")
    device = site.device("gas-n1")
    site.devices.append(type(device)("sensor", "gas-x9", {"ch4_pct": still(0.5)}))
    page.reading("kaduna/sensor/gas-x9/ch4_pct")


def test_marks_a_stale_reading_by_word_and_counts_its_age(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    site.silence("gas-n1", age_s=95)
    page = looking_as("analyst")
    assert "stale" in page.cell(GAS, "quality")
    assert page.cell(GAS, "age").startswith("1:")
    before = page.cell(GAS, "age")
    page.until(lambda: page.cell(GAS, "age") > before, "the age to grow")
    page.see(".chip.stale", "4")  # its four metrics


def test_names_what_is_known_against_a_reading(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst", "#view=values")
    quality = page.cell("kaduna/sensor/gas-n3/co_ppm", "quality")
    assert "out of range" in quality
    assert "gap before" in quality


def test_says_that_live_updates_are_interrupted_and_recovers_by_itself(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    page.reading(GAS)
    site.drop_sockets(accept_new=False)
    page.see(".banner", "Live updates interrupted since")
    page.see("#live-state", "Interrupted")
    before = page.cell(GAS, "age")
    page.until(lambda: page.cell(GAS, "age") != before, "ages to go on")
    site.accept_sockets()
    page.see("#live-state", "Live")
    page.see_none(".banner")
    page.see(".notice", "resumed")
    site.device("gas-n1").waves["ch4_pct"] = still(2.5)
    page.until(lambda: page.cell(GAS, "value") == "2.500", "live values again")


def test_catches_up_with_what_came_during_the_interruption(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    page.reading(GAS)
    site.drop_sockets(accept_new=False)
    page.see(".banner")
    site.device("gas-n1").waves["ch4_pct"] = still(0.777)
    site.device("gas-n1").frozen_ms = site.now_ms()  # its last value; no frame will ever bring it
    site.accept_sockets()
    page.until(lambda: page.cell(GAS, "value") == "0.777", "the value that no frame brought")


def test_reconnects_at_once_when_asked(site: StagedSite, looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    # The page's own next attempt, 250 ms from its failure at least, never comes.
    page.run(
        "const wait = window.setTimeout;"
        "window.setTimeout = (act, ms, ...more) => (ms >= 250 ? 0 : wait(act, ms, ...more));"
    )
    site.drop_sockets(accept_new=False)
    page.see(".banner")
    site.accept_sockets()
    page.click(".banner button")
    page.see("#live-state", "Live")


def test_searches_and_filters(site: StagedSite, looking_as: Callable[..., Page]) -> None:
    site.silence("truck-02", age_s=60)
    page = looking_as("analyst", "#view=values")
    page.type("/", "truck pit-north payload")
    page.until(lambda: len(page.texts(".row.reading")) == 7, "the seven trucks")
    page.click(".chip.stale")
    page.until(lambda: len(page.texts(".row.reading")) == 1, "the stale one")
    page.reading("kaduna/vehicle/truck-02/payload_t")


def test_stays_usable_with_hundreds_of_devices(page: Page, site: StagedSite) -> None:
    device = site.device("gas-n1")
    site.devices += [
        type(device)("sensor", f"extra-{n}", {f"level_{m}_pct": still(n) for m in range(10)})
        for n in range(600)
    ]
    page.open(f"{site.url}/#view=values")
    page.sign_in("analyst@kaduna.test", site.password)
    page.see(".count", "6,0")  # 6,000 readings and those of the small mine
    assert len(page.texts(".row")) < 80  # only what is seen exists
    page.click("#values")
    page.type("\ue010")  # End
    page.see(".row.reading", "cell-b")

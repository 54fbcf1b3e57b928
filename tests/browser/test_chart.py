"""The chart: ranges, zoom over what is stored, several series, links."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.browser import Page
from tests.support.staged_site import StagedSite

pytestmark = pytest.mark.needs_browser

GAS = "kaduna/sensor/gas-n1/ch4_pct"
GAPPY = "kaduna/sensor/gas-n2/ch4_pct"
WARM = "kaduna/sensor/gas-n1/temp_c"
UNSEEN_LIVE = "kaduna/worker/worker-01/heart_rate_bpm"  # an analyst is shown no worker
WORDS = "kaduna/equipment/pump-1/status"
Look = Callable[..., Page]


def questions(site: StagedSite, aggregate: str, series: str = GAS) -> list[dict[str, str]]:
    """Return the questions of one kind for a series, oldest first."""
    found: list[dict[str, str]] = []
    for asked in site.asked:
        if not asked.startswith("/api/v1/analytics/telemetry"):
            continue
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
        if query["series"] == series and query["agg"] == aggregate:
            found.append(query)
    return found


def drawn(page: Page, text: str, series: str = GAS) -> None:
    page.see(f'.legend tr[data-series="{series}"][data-state=ready]', text)


def test_draws_every_sample_of_a_short_range(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}")
    drawn(page, "every sample")
    page.see(".plot canvas")


def test_a_unit_that_comes_with_the_answer_is_drawn_however_rarely_the_page_is_painted(
    page: Page, looking_as: Look
) -> None:
    page.paint_late()
    looking_as("analyst", f"#view=trends&series={UNSEEN_LIVE}")
    drawn(page, "every sample", UNSEEN_LIVE)
    page.see(".plot canvas")
    assert not [each for each in page.complaints() if "Uncaught" in each]


def test_draws_long_ranges_in_steps_with_a_band(site: StagedSite, looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}&range=7d")
    drawn(page, "mean and band of")
    assert {len(questions(site, each)) > 0 for each in ("mean", "min", "max")} == {True}


def test_zoom_by_drag_asks_again_in_finer_steps_down_to_samples(
    site: StagedSite, looking_as: Look
) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}&range=7d")
    drawn(page, "mean and band of")
    coarse_s = float(questions(site, "mean")[-1]["step"])
    page.drag(".plot .u-over", 0.4, 0.6)
    page.until(lambda: float(questions(site, "mean")[-1]["step"]) < coarse_s, "a finer step")
    drawn(page, "mean and band of")
    page.drag(".plot .u-over", 0.45, 0.55)
    drawn(page, "mean and band of")
    page.drag(".plot .u-over", 0.45, 0.48)
    drawn(page, "every sample")
    assert questions(site, "raw")


def test_zooms_and_pans_by_keyboard_and_comes_back(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}&range=6h")
    drawn(page, "mean and band of")
    page.run("document.getElementById('chart').focus()")
    page.type("+")
    page.see("#range-text", "· 3 h")
    page.see(".live-toggle[aria-pressed=true]")  # a live chart keeps its end at now
    page.type("\ue012")  # Left
    page.see(".live-toggle[aria-pressed=false]")
    page.type("0")
    page.see("#range-text", "· 6 h")


def test_zooms_by_wheel_around_the_pointer(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}&range=6h")
    drawn(page, "mean and band of")
    wheel = "new WheelEvent('wheel', {deltaY: -300, clientX: 600, bubbles: true, cancelable: true})"
    page.run(f"document.querySelector('.u-over').dispatchEvent({wheel})")
    page.see_none("#range-text", "· 6 h")
    assert "start=" in page.driver.current_url


def test_shows_all_that_is_stored(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}")
    drawn(page, "every sample")
    page.see(".segments button", "All stored").click()
    page.see("#range-text", "· 7.1 d")  # seven days and a hundredth of them at each end
    drawn(page, "mean and band of")


def test_keeps_gaps_as_gaps(looking_as: Look) -> None:
    """The gappy series is silent for one minute in ten: fifteen minutes hold one or two."""
    page = looking_as("analyst", f"#view=trends&series={GAPPY}")
    drawn(page, "every sample", GAPPY)
    page.click("button[title='Points as a table']")
    page.until(lambda: len(page.texts(".point-table tbody tr")) > 100, "the points")
    minutes = {row.split()[1][:5] for row in page.texts(".point-table tbody th")}
    silent = [minute for minute in minutes if minute.endswith("0")]
    assert silent == []


def test_charts_series_of_different_units_side_by_side(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS},{WARM}")
    drawn(page, "%")
    drawn(page, "°C", WARM)


def test_charts_words_as_stretches_of_time(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={WORDS}&range=1h")
    drawn(page, "every sample", WORDS)
    shares = page.see(".legend .shares").text
    assert {"running", "idle", "fault"} <= set(shares.split())
    page.see(".segments button", "7 d").click()
    drawn(page, "last word of", WORDS)


def test_finds_a_series_by_parts_of_its_name(looking_as: Look) -> None:
    page = looking_as("analyst", "#view=trends&series=" + GAS)
    page.type("s", "pump-1 flow")
    page.see("#series-found li", "flow_l_min")
    page.type("\ue007")  # Enter
    drawn(page, "l/min", "kaduna/equipment/pump-1/flow_l_min")


def test_what_is_shown_can_be_sent_as_a_link(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS},{WARM}&range=6h")
    drawn(page, "%")
    page.see(".segments button", "24 h").click()
    page.see("#range-text", "· 1 d")
    address = page.driver.current_url
    page.open("about:blank")
    page.open(address)
    page.see("#range-text", "· 1 d")
    drawn(page, "°C", WARM)


def test_live_tail_grows_by_frames(looking_as: Look) -> None:
    page = looking_as("analyst", f"#view=trends&series={GAS}")
    drawn(page, "every sample")
    before = page.see(".legend .now").text
    page.until(lambda: page.see(".legend .now").text != before, "the next value")


def test_says_that_a_series_does_not_exist(looking_as: Look) -> None:
    page = looking_as("analyst", "#view=trends&series=kaduna/sensor/none/ch4_pct")
    page.see(".legend .problem", "no series")


def test_edge_without_history_charts_what_it_has_seen(page: Page, edge_site: StagedSite) -> None:
    edge_site.has_history = False
    page.open(f"{edge_site.url}/#view=trends")
    page.sign_in("analyst@kaduna.test", edge_site.password)
    page.see("#live-state", "Live")
    page.see(".legend", "since this page was opened")

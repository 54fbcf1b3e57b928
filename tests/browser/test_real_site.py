"""The pages of a whole site as `./deploy/up` starts it: from an MQTT message to the screen."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.browser import Page
from tests.support.running_site import RunningSite, running_site

pytestmark = [pytest.mark.slow, pytest.mark.needs_browser, pytest.mark.needs_mosquitto]

TOPIC = "mine/v1/kaduna"
RECORDED_S = 12_000  # more than is drawn sample by sample
BATCH = 3_000
RECORDED = "kaduna/sensor/recorded/ch4_pct"
LookAt = Callable[..., Page]


def now_ms() -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251 -- a device's own clock


def reading(metrics: dict[str, Any], seq: int, age_s: float = 0.0) -> str:
    return json.dumps({"ts": now_ms() - int(age_s * 1000), "seq": seq, "metrics": metrics})


def publish_recorded(site: RunningSite) -> None:
    """Publish a value per second over the last hours, in batches: a saw of a hundred seconds."""
    start_ms = now_ms() - RECORDED_S * 1000
    for first in range(0, RECORDED_S, BATCH):
        samples = [
            {"ts": start_ms + n * 1000, "seq": n, "metrics": {"ch4_pct": n % 100 / 100}}
            for n in range(first, first + BATCH)
        ]
        site.publish(f"{TOPIC}/sensor/recorded/telemetry", json.dumps({"samples": samples}))


@pytest.fixture(scope="module")
def site(built_pages: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    with running_site(tmp_path_factory.mktemp("site") / "state", "--no-sim") as started:
        publish_recorded(started)
        started.publish(f"{TOPIC}/worker/w-1/vitals", reading({"heart_rate_bpm": 81}, 1))
        yield started


@pytest.fixture
def look_at(page: Page, site: RunningSite) -> LookAt:
    """Sign in with a role and look at the page of a server of the real site."""

    def look(server: str, role: str = "admin", view: str = "") -> Page:
        page.open(f"{site.ready[server]}/{view}")
        login = site.login(role)
        page.sign_in(login["username"], login["password"])
        page.see("#live-state", "Live")
        return page

    return look


@pytest.mark.parametrize("server", ["edge", "central"])
def test_a_message_on_mqtt_is_on_the_page(site: RunningSite, look_at: LookAt, server: str) -> None:
    page = look_at(server)
    site.publish(f"{TOPIC}/sensor/hand-{server}/telemetry", reading({"ch4_pct": 0.42}, 1))
    series = f"kaduna/sensor/hand-{server}/ch4_pct"
    page.until(lambda: page.cell(series, "value") == "0.420", "the first value")
    site.publish(f"{TOPIC}/sensor/hand-{server}/telemetry", reading({"ch4_pct": 1.37}, 2))
    page.until(lambda: page.cell(series, "value") == "1.370", "the second value")
    assert page.cell(series, "unit") == "%"
    assert page.cell(series, "quality") == "good"


def test_an_old_reading_is_stale_and_late(site: RunningSite, look_at: LookAt) -> None:
    site.publish(f"{TOPIC}/sensor/old/telemetry", reading({"co_ppm": 3}, 1, age_s=95))
    page = look_at("central", view="#view=values&q=sensor/old")
    page.until(lambda: "late" in page.cell("kaduna/sensor/old/co_ppm", "quality"), "the flag")
    assert "stale" in page.cell("kaduna/sensor/old/co_ppm", "quality")
    assert page.cell("kaduna/sensor/old/co_ppm", "age")[1:2] == ":"  # minutes


def test_a_gap_in_the_devices_numbers_is_told(site: RunningSite, look_at: LookAt) -> None:
    for seq in (1, 2, 9):
        site.publish(f"{TOPIC}/sensor/gappy/telemetry", reading({"co_ppm": seq}, seq))
    page = look_at("edge", view="#view=values&q=gappy")
    series = "kaduna/sensor/gappy/co_ppm"
    page.until(lambda: "gap before" in page.cell(series, "quality"), "the flag")


def test_a_vehicle_appears_on_the_map_and_moves(site: RunningSite, look_at: LookAt) -> None:
    page = look_at("central", view="#view=map&asset=kaduna/vehicle/hand-truck")
    place = {"coordinates": {"lat": 10.5264, "lng": 7.4388}, "zone": "yard", "level": "surface"}
    for seq, lat in enumerate((10.5264, 10.5270), start=1):
        place["coordinates"] = {"lat": lat, "lng": 7.4388}
        message = {"ts": now_ms(), "seq": seq, "location": place, "speed_mps": 8, "heading_deg": 0}
        site.publish(f"{TOPIC}/vehicle/hand-truck/position", json.dumps(message))
        page.see(".asset-card", f"{lat:.5f}")
    page.see(".symbol-label", "hand-truck")
    page.see(".asset-list", "hand-truck")


def test_zooms_into_what_is_stored_down_to_samples(site: RunningSite, look_at: LookAt) -> None:
    page = look_at("central", view=f"#view=trends&series={RECORDED}&range=6h")
    page.see('.legend tr[data-state="ready"]', "mean and band of")
    page.drag(".plot .u-over", 0.80, 0.90)
    page.see('.legend tr[data-state="ready"]', "every sample")
    page.click("button[title='Points as a table']")
    page.until(lambda: len(page.texts(".point-table tbody tr")) > 100, "the samples")
    first, second = (float(row.split()[-1]) for row in page.texts(".point-table tbody tr")[:2])
    assert round(first - second, 2) in {0.01, -0.99}  # newest first; the saw rises by a hundredth


def test_finds_the_series_in_the_catalogue(look_at: LookAt) -> None:
    page = look_at("central", view="#view=trends")
    page.type("s", "recorded ch4")
    page.see("#series-found li", "recorded")
    page.type("\ue007")  # Enter
    page.see(f'.legend tr[data-series="{RECORDED}"]')


def test_shows_all_that_is_stored(look_at: LookAt) -> None:
    page = look_at("central", view=f"#view=trends&series={RECORDED}")
    page.see('.legend tr[data-state="ready"]')
    page.see(".segments button", "All stored").click()
    page.see("#range-text", "· 3.4 h")  # 12,000 s and a hundredth of them at each end
    page.see('.legend tr[data-state="ready"]', "mean and band of")


def test_central_restarts_and_the_page_recovers_by_itself(
    site: RunningSite, look_at: LookAt
) -> None:
    page = look_at("central")
    site.publish(f"{TOPIC}/sensor/cut/telemetry", reading({"ch4_pct": 0.1}, 1))
    page.until(lambda: page.cell("kaduna/sensor/cut/ch4_pct", "value") == "0.100", "the value")
    site.child("headframe-central", "run").kill()
    page.see(".banner", "Live updates interrupted since")
    site.publish(f"{TOPIC}/sensor/cut/telemetry", reading({"ch4_pct": 0.2}, 2))
    page.see("#live-state", "Live")
    page.see_none(".banner")
    page.until(lambda: page.cell("kaduna/sensor/cut/ch4_pct", "value") == "0.200", "the next value")


def test_what_the_edge_refused_is_on_its_page(site: RunningSite, look_at: LookAt) -> None:
    site.publish(f"{TOPIC}/sensor/rubbish/telemetry", b'{"ts": 1')
    page = look_at("edge", role="analyst")
    page.see(".link-strip", "Connected")
    page.click(".fact button.link")
    page.see(".refusals", "bad_json")


@pytest.mark.parametrize("server", ["edge", "central"])
def test_what_the_broker_refused_is_on_the_page(
    site: RunningSite, look_at: LookAt, server: str
) -> None:
    site.publish("elsewhere/gas", reading({"ch4_pct": 0.42}, 1))
    page = look_at(server, role="analyst")
    page.click(".fact button.link")
    page.see(".refusals", "not_permitted")


def test_workers_are_for_safety_officers(look_at: LookAt) -> None:
    page = look_at("central", role="safety_officer", view="#view=values&q=w-1")
    page.until(lambda: page.cell("kaduna/worker/w-1/heart_rate_bpm", "value") == "81", "the worker")


@pytest.mark.parametrize("server", ["edge", "central"])
def test_workers_are_refused_to_others(look_at: LookAt, server: str) -> None:
    page = look_at(server, role="operator", view="#view=values")
    page.see(".word-row", "workers:read")
    assert not any("w-1" in text for text in page.texts(".row.reading"))


@pytest.mark.parametrize("server", ["edge", "central"])
def test_asks_no_other_host_and_nothing_is_wrong_on_the_console(
    site: RunningSite, look_at: LookAt, server: str
) -> None:
    page = look_at(server, view=f"#series={RECORDED}")
    page.see('.legend tr[data-state="ready"]')
    page.see(".link-strip", "Connected")
    assert page.complaints() == []
    assert page.asked_hosts() == {urlsplit(str(site.ready[server])).netloc}


@pytest.mark.parametrize(("viewer", "shown"), [("docs", ".opblock"), ("redoc", ".api-content")])
@pytest.mark.parametrize("server", ["edge", "central"])
def test_the_api_is_described_without_another_host(
    site: RunningSite, page: Page, server: str, viewer: str, shown: str
) -> None:
    page.open(f"{site.ready[server]}/{viewer}")
    page.see(shown, "/api/v1/auth/token" if viewer == "docs" else "Sign in")
    assert page.complaints() == []
    assert page.asked_hosts() == {urlsplit(str(site.ready[server])).netloc}

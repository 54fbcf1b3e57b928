"""Alerts on the page: above everything, the gravest first, gone when they clear."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.clock import iso_utc
from tests.support.browser import Page
from tests.support.staged_site import StagedSite

pytestmark = pytest.mark.needs_browser

Look = Callable[..., Page]


def alert(site: StagedSite, number: int, severity: str = "critical") -> dict[str, Any]:
    return {
        "id": f"a{number}",
        "site": "kaduna",
        "severity": severity,
        "message": f"ch4_pct 1.{number} % at sensor gas-n1: the limit is 1.5 %",
        "raised_at": iso_utc(site.now_ms() - 60_000 - number),
        "source": {"kind": "sensor", "id": "gas-n1", "metric": "ch4_pct"},
    }


def test_an_alert_appears_above_the_values_and_goes_when_it_clears(
    site: StagedSite, looking_as: Look
) -> None:
    page = looking_as("operator_viewer")
    page.see_none(".alert-line")
    site.alerts = [alert(site, 6)]
    line = page.see(".alert-line.critical", "ch4_pct 1.6 % at sensor gas-n1")
    assert "CRITICAL" in line.text
    assert "UTC" in line.text
    site.alerts = []
    page.see_none(".alert-line")


def test_the_gravest_come_first_and_the_others_are_counted(
    site: StagedSite, looking_as: Look
) -> None:
    site.alerts = [alert(site, 1, "low"), *(alert(site, number) for number in range(2, 8))]
    page = looking_as("operator_viewer")
    page.see(".alert-more", "and 3 more alerts stand")
    assert [text.split()[0] for text in page.texts(".alert-line")] == ["CRITICAL"] * 4


def test_the_series_of_an_alert_is_charted_with_one_click(
    site: StagedSite, looking_as: Look
) -> None:
    site.alerts = [alert(site, 6)]
    page = looking_as("operator_viewer", "#series=kaduna/equipment/pump-1/status")
    page.click(".alert-line button")
    page.see('.legend tr[data-series="kaduna/sensor/gas-n1/ch4_pct"]')
    page.see_none(".alert-line button")


def test_alerts_that_cannot_be_asked_for_are_no_silence(site: StagedSite, looking_as: Look) -> None:
    site.alerts = [alert(site, 6)]
    page = looking_as("operator_viewer")
    page.see(".alert-line")
    site.is_down = True
    page.see(".alert-strip .word.warning", "The alerts cannot be asked for")
    page.see(".alert-line", "1.6 %")

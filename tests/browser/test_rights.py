"""What an account may not see is refused with the reason, not shown as an empty box."""

from collections.abc import Callable

import pytest

from tests.support.browser import Page
from tests.support.staged_site import StagedSite

pytestmark = pytest.mark.needs_browser


def test_shows_workers_to_a_safety_officer(looking_as: Callable[..., Page]) -> None:
    page = looking_as("safety_officer", "#view=values&q=worker")
    page.reading("kaduna/worker/worker-01/heart_rate_bpm")


def test_refuses_workers_to_others_with_the_reason(looking_as: Callable[..., Page]) -> None:
    page = looking_as("supervisor")
    page.see(".map-word", "Workers not shown")
    page.type("2")
    page.see("#values").click()
    page.type("\ue010")  # End: groups come in a fixed order
    page.type("\ue013" * 8)  # Up, to where the group of workers stands
    page.see(".word-row", "worker data is for safety officers")
    assert not any("worker-0" in text for text in page.texts(".row.reading"))


def test_does_not_ask_again_for_what_was_refused(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("supervisor")
    page.see(".link-strip", "not shown to this account")
    page.see(".map-word", "Workers not shown")
    site.drop_sockets()  # after which everything is asked for again
    page.see(".notice", "resumed")
    questions = [path for path in site.asked if path.startswith("/api/v1/safety/workers")]
    assert len(questions) == 1


def test_shows_the_link_and_its_backlog_to_an_analyst(
    site: StagedSite, looking_as: Callable[..., Page]
) -> None:
    page = looking_as("analyst")
    page.see(".link-strip", "Connected")
    page.see(".link-strip", "612 ms")
    site.edge_connected = False
    page.see(".edge-line.disconnected", "Disconnected")
    page.see(".link-strip", "184,220")
    page.see(".edge-error", "connection refused")


def test_tells_what_the_edge_refused_by_reason(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.click(".fact button.link")
    page.see(".refusals", "bad_json")
    page.see(".refusals", "future_time")


def test_tells_what_the_broker_refused_before_the_edge(looking_as: Callable[..., Page]) -> None:
    page = looking_as("analyst")
    page.see(".link-strip", "11 times")  # 4 by the edge, 7 by the broker
    page.click(".fact button.link")
    page.see(".refusals", "Refused by the broker before they reached edge-1")
    page.see(".refusals", "sent to a topic that the account may not use")

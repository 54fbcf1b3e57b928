"""Which topics are ingest's own, which are others' and which are wrong."""

import pytest

from edge.ingest.decoded import Reason, Refusal
from edge.ingest.routing import NOT_OURS, route
from shared.domain.topics import Topic


def reason_of(text: str) -> str:
    routed = route(text, "kaduna")
    assert isinstance(routed, Refusal)
    assert routed.detail
    return routed.reason


def test_an_own_topic_is_parsed() -> None:
    routed = route("mine/v1/kaduna/vehicle/ht-01/position", "kaduna")
    assert isinstance(routed, Topic)
    assert routed.asset_id == "ht-01"


@pytest.mark.parametrize("channel", ["alert", "alert-ack", "cmd", "feedback"])
def test_what_other_parts_of_the_edge_speak_is_not_ours(channel: str) -> None:
    assert route(f"mine/v1/kaduna/vehicle/ht-01/{channel}", "kaduna") is NOT_OURS


@pytest.mark.parametrize(
    "text",
    [
        "mine/v1/kaduna/vehicle/ht-01/telemetri",
        "mine/v1/kaduna/robot/ht-01/telemetry",
        "mine/v1/kaduna/vehicle/HT/telemetry",
        "mine/v1/kaduna/robot/ht-01/cmd",
        "mine/v1/kaduna/vehicle/HT/cmd",
        "mine/v1/kaduna/vehicle/ht-01/telemetry/x",
        "mine/v1/kaduna/vehicle/ht-01",
        "mine/v1",
        "mine/v1/kaduna/sensor/gas-1/position",
        "mine/v1/\ufffd/sensor/gas-1/telemetry",
        "mine/v1/kaduna/sensor/" + "x" * 300 + "/telemetry",
    ],
)
def test_wrong_topics_are_refused_as_such(text: str) -> None:
    assert reason_of(text) == Reason.BAD_TOPIC


def test_another_sites_message_is_refused_as_foreign() -> None:
    assert reason_of("mine/v1/lagos/sensor/gas-1/telemetry") == Reason.FOREIGN_SITE

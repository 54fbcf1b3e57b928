"""Which topics a publisher may use."""

import pytest

from edge.ingest.listener.rights import PublishRights

OWN = PublishRights("kaduna", ["gas-1", "vehicle/truck-1"])
ANY = PublishRights("kaduna", ["*"])


@pytest.mark.parametrize(
    ("topic", "own", "anybody"),
    [
        ("mine/v1/kaduna/sensor/gas-1/telemetry", True, True),
        ("mine/v1/kaduna/sensor/gas-1/death", True, True),
        ("mine/v1/kaduna/equipment/gas-1/feedback", True, True),
        ("mine/v1/kaduna/vehicle/truck-1/position", True, True),
        ("mine/v1/kaduna/worker/truck-1/position", False, True),
        ("mine/v1/kaduna/sensor/gas-2/telemetry", False, True),
        ("mine/v1/elsewhere/sensor/gas-1/telemetry", False, True),  # quarantined, by its site
        ("mine/v1/kaduna/sensor/gas-1/telemetry/more", False, True),
        ("mine/v2/kaduna/sensor/gas-1/telemetry", False, True),
        ("mine/v1", False, True),
        ("mine/v1/kaduna/sensor/gas-1/cmd", False, False),
        ("mine/v1/kaduna/sensor/gas-1/cmd/x", False, False),
        ("mine/v1/kaduna/sensor/gas-1/alert", False, False),
        ("other/v1/kaduna/sensor/gas-1/telemetry", False, False),
        ("", False, False),
    ],
)
def test_a_device_speaks_for_itself_and_nobody_gives_orders(
    topic: str, own: bool, anybody: bool
) -> None:
    assert (OWN.permits(topic), ANY.permits(topic)) == (own, anybody)

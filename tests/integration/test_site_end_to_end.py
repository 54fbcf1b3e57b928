"""One site, as a new user meets it: publish by hand, find it everywhere, be told what is wrong."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.running_site import ROOT, RunningSite, running_site, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.needs_mosquitto]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    with running_site(tmp_path_factory.mktemp("site") / "state", "--no-sim") as found:
        yield found


def now_ms() -> int:
    return time.time_ns() // 1_000_000  # noqa: TID251 -- a device's own clock


def reading(value: float, seq: int, **more: Any) -> str:
    return json.dumps({"ts": now_ms(), "seq": seq, "metrics": {"ch4_pct": value}, **more})


def sensors(site: RunningSite, server: str) -> dict[str, Any]:
    found = site.get("/api/v1/safety/environmental/sensors", server=server)
    return {item["id"]: item for item in found["items"]}


@pytest.mark.parametrize("server", ["edge", "central"])
def test_a_reading_published_by_hand_is_found_by_rest(site: RunningSite, server: str) -> None:
    site.publish(f"mine/v1/kaduna/sensor/hand-{server}/telemetry", reading(0.42, 1))
    item = wait_for(lambda: sensors(site, server).get(f"hand-{server}"), f"on {server}")
    assert item["metrics"]["ch4_pct"]["value"] == 0.42
    assert item["metrics"]["ch4_pct"]["unit"] == "%"
    assert item["metrics"]["ch4_pct"]["quality"] == "good"


@pytest.mark.parametrize("server", ["edge", "central"])
async def test_a_reading_reaches_an_open_socket(site: RunningSite, server: str) -> None:
    token = await asyncio.to_thread(site.token, "admin", server)
    address = site.ready[server].replace("http", "ws", 1) + "/ws/sensors"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        await socket.send_json({"type": "auth", "token": f"Bearer {token}"})
        assert (await socket.receive_json(timeout=5))["type"] == "auth_ok"
        topic = f"mine/v1/kaduna/sensor/socket-{server}/telemetry"
        await asyncio.to_thread(site.publish, topic, reading(1.25, 1))
        data: dict[str, Any] = {"id": None}
        async with asyncio.timeout(10):
            while data["id"] != f"socket-{server}":
                data = (await socket.receive_json())["data"]
        assert data["metrics"]["ch4_pct"]["value"] == 1.25


def alerts(site: RunningSite, server: str, asset_id: str) -> list[dict[str, Any]]:
    found = site.get("/api/v1/safety/alerts", server=server)["items"]
    return [alert for alert in found if alert["source"]["id"] == asset_id]


def test_gas_at_the_limit_raises_an_alert_that_both_sides_list_until_it_clears(
    site: RunningSite,
) -> None:
    topic = "mine/v1/kaduna/sensor/gassy/telemetry"
    site.publish(topic, reading(1.2, 1))
    site.publish(topic, reading(1.62, 2))
    for server in ("edge", "central"):
        (alert,) = wait_for(lambda at=server: alerts(site, at, "gassy"), f"the alert on {server}")
        assert (alert["state"], alert["severity"], alert["value"]) == ("raised", "critical", 1.62)
        assert [value for _, value in alert["context"]] == [1.2, 1.62]
    site.publish(topic, reading(0.4, 3))
    for server in ("edge", "central"):
        (alert,) = wait_for(
            lambda at=server: [
                each for each in alerts(site, at, "gassy") if each["state"] == "cleared"
            ],
            f"its end on {server}",
        )
        assert (alert["revision"], alert["value"]) == (2, 0.4)


def quarantined(site: RunningSite) -> list[dict[str, Any]]:
    text = site.edge_command("quarantine", "list", "--json")
    return [json.loads(line) for line in text.splitlines() if line.strip().startswith("{")]


RUBBISH: list[tuple[str, str, bytes]] = [
    ("bad_json", "sensor/rubbish-1/telemetry", b'{"ts": 1'),
    ("bad_topic", "submarine/rubbish-2/telemetry", b'{"metrics": {"ch4_pct": 1}}'),
    ("bad_value", "sensor/rubbish-3/telemetry", b'{"metrics": {"ch4_pct": NaN}}'),
    ("payload_too_large", "sensor/rubbish-4/telemetry", b"x" * 1_048_576),
    ("future_time", "sensor/rubbish-5/telemetry", b'{"ts": 9999999999999, "metrics": {"a_c": 1}}'),
    ("bad_value", "sensor/rubbish-6/telemetry", b'{"metrics": {"a_c": {"b": 1}}}'),
]


def test_rubbish_is_found_in_the_quarantine_with_its_reason(site: RunningSite) -> None:
    for _, path, payload in RUBBISH:
        site.publish(f"mine/v1/kaduna/{path}", payload)
    site.publish("mine/v1/kaduna/sensor/after-rubbish/telemetry", reading(0.1, 1))
    wait_for(lambda: "after-rubbish" in sensors(site, "edge"), "what came after the rubbish")
    listed = wait_for(
        lambda: (found := quarantined(site)) and len(found) >= len(RUBBISH) and found, "all of it"
    )
    by_topic = {entry["topic"]: entry for entry in listed}
    for reason, path, payload in RUBBISH:
        entry = by_topic[f"mine/v1/kaduna/{path}"]
        assert entry["reason"] == reason, entry
        assert entry["size_bytes"] == len(payload)


def test_the_same_message_twice_is_stored_once(site: RunningSite) -> None:
    message = reading(0.7, 5)
    for _ in range(2):
        site.publish("mine/v1/kaduna/sensor/twice/telemetry", message)
    site.publish("mine/v1/kaduna/sensor/twice/telemetry", reading(0.8, 6))
    count = """SELECT count(*) FROM sample JOIN series USING (site_id, series_id)
               WHERE asset_id = 'twice' AND metric = 'ch4_pct'"""
    wait_for(lambda: site.rows(count)[0][0] >= 2, "both readings")
    assert site.rows(count)[0][0] == 2


def test_worker_data_is_for_those_who_may_see_it(site: RunningSite) -> None:
    site.publish(
        "mine/v1/kaduna/worker/w-1/vitals",
        json.dumps({"ts": now_ms(), "seq": 1, "metrics": {"heart_rate_bpm": 90}}),
    )
    found = wait_for(
        lambda: site.get("/api/v1/safety/workers", role="safety_officer")["items"], "the worker"
    )
    assert found[0]["id"] == "w-1"
    status, answer = site.request(
        "GET", "central", "/api/v1/safety/workers", token=site.token("analyst")
    )
    assert (status, answer["status_code"]) == (403, 403)


def test_sync_status_shows_the_link(site: RunningSite) -> None:
    status = wait_for(
        lambda: [e for e in site.get("/api/v1/sync/status")["edges"] if e["state"] == "connected"],
        "a connected edge",
    )
    assert status[0]["edge_id"] == "edge-1"


def test_every_account_of_the_credentials_can_sign_in(site: RunningSite) -> None:
    roles = set(json.loads(site.credentials.read_text(encoding="utf-8"))) - {"mqtt"}
    assert len(roles) == 8
    for role in roles:
        assert site.token(role)


def test_credentials_are_private(site: RunningSite) -> None:
    assert Path(site.credentials).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("server", ["edge", "central"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_a_server_says_that_it_is_well(site: RunningSite, server: str, path: str) -> None:
    status, _ = site.request("GET", server, path)
    assert status == 200


@pytest.mark.parametrize("server", ["edge", "central"])
def test_every_metric_that_is_exported_is_documented(site: RunningSite, server: str) -> None:
    with urllib.request.urlopen(f"{site.ready[server]}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    names = [line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("# HELP ")]
    documented = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in documented] == []

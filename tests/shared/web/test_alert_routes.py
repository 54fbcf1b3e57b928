"""Alerts over HTTP: their shape, their order, and who sees those about people."""

from shared.access.roles import Role
from shared.sync.records import AlertState, Severity
from tests.support.alerts import T0_MS, make_alert
from tests.support.web_world import web_world

ALERTS = "/api/v1/safety/alerts"


async def test_an_alert_has_the_agreed_shape() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-n1/ch4_pct", 1.62, T0_MS)
        world.site.alert_records["kaduna"] = [make_alert()]
        expected = {
            "id": "a1",
            "site": "kaduna",
            "revision": 1,
            "severity": "critical",
            "type": "methane_high",
            "state": "raised",
            "message": "ch4_pct 1.62 % at sensor gas-n1: the limit is 1.5 %",
            "raised_at": "2023-11-14T22:13:20.000Z",
            "changed_at": "2023-11-14T22:13:20.000Z",
            "detected_at": "2023-11-14T22:13:20.040Z",
            "deadline_at": None,
            "source": {"kind": "sensor", "id": "gas-n1", "metric": "ch4_pct"},
            "value": 1.62,
            "threshold": 1.5,
            "unit": "%",
            "context": [[T0_MS - 1_000, 1.4], [T0_MS, 1.62]],
        }
        page = (await world.get(ALERTS, Role.OPERATOR_VIEWER)).data
        assert page == {"items": [expected], "next_cursor": None}
        assert (await world.get(f"{ALERTS}/a1", Role.OPERATOR_VIEWER)).data == expected


async def test_pages_go_from_the_newest_to_the_oldest_and_miss_none() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-n1/ch4_pct", 1.62, T0_MS)
        world.site.alert_records["kaduna"] = [
            make_alert(alert_id=f"a{n}", raised_ms=T0_MS + n // 2) for n in range(7)
        ]
        found, path = list[str](), f"{ALERTS}?limit=2"
        while True:
            page = (await world.get(path, Role.ANALYST)).data
            found += [alert["id"] for alert in page["items"]]
            if page["next_cursor"] is None:
                break
            path = f"{ALERTS}?limit=2&cursor={page['next_cursor']}"
        assert found == ["a6", "a4", "a5", "a2", "a3", "a0", "a1"]


async def test_state_and_severity_are_filters() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-n1/ch4_pct", 1.62, T0_MS)
        world.site.alert_records["kaduna"] = [
            make_alert(alert_id="a1"),
            make_alert(alert_id="a2", state=AlertState.CLEARED),
            make_alert(alert_id="a3", severity=Severity.LOW),
        ]
        raised = (await world.get(f"{ALERTS}?state=raised", Role.ANALYST)).data["items"]
        assert [alert["id"] for alert in raised] == ["a1", "a3"]
        low = (await world.get(f"{ALERTS}?state=raised&severity=low", Role.ANALYST)).data["items"]
        assert [alert["id"] for alert in low] == ["a3"]
        wrong = await world.get(f"{ALERTS}?state=loud", Role.ANALYST)
        assert (wrong.status, wrong.fields) == (400, ["state"])


async def test_alerts_about_workers_are_for_safety_officers() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-n1/ch4_pct", 1.62, T0_MS)
        world.site.alert_records["kaduna"] = [make_alert(kind="worker")]
        assert (await world.get(ALERTS, Role.SUPERVISOR)).data["items"] == []
        assert (await world.get(f"{ALERTS}/a1", Role.SUPERVISOR)).status == 404
        assert (await world.get(f"{ALERTS}/a1", Role.SAFETY_OFFICER)).status == 200


async def test_an_alert_that_is_not_there_is_not_found() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-n1/ch4_pct", 1.62, T0_MS)
        assert (await world.get(f"{ALERTS}/a9", Role.ADMIN)).status == 404


async def test_a_client_that_has_the_newest_revision_is_not_sent_it_again() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-n1/ch4_pct", 1.62, T0_MS)
        world.site.alert_records["kaduna"] = [make_alert()]
        seen = (await world.get(f"{ALERTS}/a1", Role.ANALYST)).headers["ETag"]
        known = {"If-None-Match": seen}
        assert (await world.get(f"{ALERTS}/a1", Role.ANALYST, headers=known)).status == 304
        world.site.alert_records["kaduna"] = [make_alert(revision=2)]
        assert (await world.get(f"{ALERTS}/a1", Role.ANALYST, headers=known)).status == 200

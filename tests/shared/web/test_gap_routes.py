"""Declared gaps over HTTP: their shape and their order."""

from shared.access.roles import Role
from shared.web.site_data import GapListing
from tests.support.web_world import NOW_MS, web_world

GAPS = "/api/v1/sync/gaps"
MISSED = GapListing(
    gap_id="g1", edge_id="edge-1", reason="sequence_gap", declared_ms=NOW_MS,
    topic="mine/v1/kaduna/sensor/gas-1/telemetry", messages=7, start_ms=NOW_MS - 60_000,
    end_ms=NOW_MS - 1_000,
)  # fmt: skip
LOST = GapListing(
    gap_id="2-5-9", edge_id="edge-1", reason="disk_full", declared_ms=NOW_MS - 5_000, lane=2,
    first_seq=5, last_seq=9, samples=90, is_thinned=True,
)  # fmt: skip


async def test_a_gap_has_the_agreed_shape() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-1/ch4_pct", 0.4, NOW_MS)
        world.site.gap_listings["kaduna"] = [LOST, MISSED]
        missed, lost = (await world.get(GAPS, Role.ANALYST)).data["items"]
        assert missed == {
            "id": "g1",
            "edge_id": "edge-1",
            "reason": "sequence_gap",
            "declared_at": "2026-11-02T06:00:00.000Z",
            "lane": None,
            "first_seq": None,
            "last_seq": None,
            "samples": None,
            "is_thinned": False,
            "topic": "mine/v1/kaduna/sensor/gas-1/telemetry",
            "messages": 7,
            "start": "2026-11-02T05:59:00.000Z",
            "end": "2026-11-02T05:59:59.000Z",
        }
        assert (lost["lane"], lost["first_seq"], lost["last_seq"], lost["samples"]) == (2, 5, 9, 90)
        assert lost["is_thinned"]


async def test_pages_go_from_the_newest_to_the_oldest_and_miss_none() -> None:
    async with web_world() as world:
        world.site.add("kaduna/sensor/gas-1/ch4_pct", 0.4, NOW_MS)
        world.site.gap_listings["kaduna"] = [
            GapListing(gap_id=f"g{n}", edge_id="e", reason="r", declared_ms=NOW_MS + n // 2)
            for n in range(5)
        ]
        found, path = list[str](), f"{GAPS}?limit=2"
        while True:
            page = (await world.get(path, Role.ANALYST)).data
            found += [gap["id"] for gap in page["items"]]
            if page["next_cursor"] is None:
                break
            path = f"{GAPS}?limit=2&cursor={page['next_cursor']}"
        assert found == ["g4", "g2", "g3", "g0", "g1"]

"""Headquarters' processes, as an operator starts and stops them."""

import json
from pathlib import Path

from tests.support.central_site import central_site, running, serving


async def test_migrates_becomes_ready_and_stops_cleanly(
    tmp_path: Path, empty_database_url: str
) -> None:
    site = central_site(tmp_path, empty_database_url)
    async with serving(site) as web, running(site, "worker") as worker:
        assert (await site.get("/healthz"))[0] == 200
        await site.add_account("ann@mine.example", "analyst")
        token = await site.token("ann@mine.example")
        status, body = await site.get("/api/v1/sync/status?site=kaduna", token)
        print(status, body)
        code, out, _ = await site.command("user", "list", "--json")
        print(json.loads(out))
        assert await web.stopped() == 0
        assert await worker.stopped() == 0
        print(web.log, worker.log)

"""Which site a request is about."""

import pytest

from shared.access.roles import Role
from tests.support.web_world import NOW_MS, Answer, World, web_world

VEHICLES = "/api/v1/assets/vehicles"


async def ask(world: World, sites: tuple[str, ...], query: str = "") -> Answer:
    headers = world.headers(Role.ANALYST, sites=sites)
    return await world.ask("GET", VEHICLES + query, headers=headers)


def add_site(world: World, site: str) -> None:
    world.site.add(f"{site}/vehicle/truck-{site}/fuel_pct", 1.0, NOW_MS)


def ids(answer: Answer) -> list[str]:
    return [item["id"] for item in answer.data["items"]]


async def test_an_account_with_one_site_need_not_name_it() -> None:
    async with web_world() as world:
        add_site(world, "abuja")
        add_site(world, "kaduna")
        assert ids(await ask(world, ("kaduna",))) == ["truck-kaduna"]


async def test_an_account_with_several_must_and_is_told_which() -> None:
    async with web_world() as world:
        answer = await ask(world, ("kaduna", "abuja"))
        assert (answer.status, answer.fields) == (400, ["site"])
        assert "abuja, kaduna" in answer.body["detail"]
        add_site(world, "abuja")
        assert ids(await ask(world, ("kaduna", "abuja"), "?site=abuja")) == ["truck-abuja"]


async def test_an_account_for_all_sites_sees_those_that_come_later_too() -> None:
    async with web_world() as world:
        add_site(world, "kaduna")
        assert ids(await ask(world, ("*",))) == ["truck-kaduna"]
        add_site(world, "abuja")
        world.clock.advance_s(1.0)
        assert ids(await ask(world, ("*",), "?site=abuja")) == ["truck-abuja"]
        world.clock.advance_s(5.0)
        assert (await ask(world, ("*",))).status == 400


@pytest.mark.parametrize("site", ["abuja", "nowhere", "KADUNA", "..", "a" * 64])
async def test_what_is_not_the_accounts_does_not_exist(site: str) -> None:
    async with web_world() as world:
        add_site(world, "abuja")
        add_site(world, "kaduna")
        assert (await ask(world, ("kaduna",), f"?site={site}")).status == 404


async def test_a_new_site_without_data_is_there_for_its_account() -> None:
    async with web_world() as world:
        assert ids(await ask(world, ("newmine",))) == []


async def test_an_account_without_a_site_sees_nothing() -> None:
    async with web_world() as world:
        add_site(world, "kaduna")
        assert (await ask(world, ())).status == 404


async def test_an_edge_serves_its_own_site_only() -> None:
    async with web_world(home_site="kaduna") as world:
        add_site(world, "kaduna")
        assert ids(await ask(world, ("abuja", "kaduna"))) == ["truck-kaduna"]
        assert ids(await ask(world, ("*",))) == ["truck-kaduna"]
        assert (await ask(world, ("abuja",))).status == 404
        assert (await ask(world, ("abuja", "kaduna"), "?site=abuja")).status == 404
        assert (await ask(world, ("*",), "?site=abuja")).status == 404


async def test_asking_for_sites_that_do_not_exist_does_not_hammer_the_store() -> None:
    async with web_world() as world:
        add_site(world, "kaduna")
        await ask(world, ("*",), "?site=ghost")
        world.site.failure = RuntimeError("asked again")
        assert (await ask(world, ("*",), "?site=ghost")).status == 404

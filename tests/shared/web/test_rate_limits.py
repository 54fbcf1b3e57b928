"""Limits per account and per address, as the headers say them."""

from shared.access.roles import Role
from tests.support.web_world import NOW_MS, World, web_world

PATH = "/api/v1/assets/vehicles"


async def statuses(world: World, count: int, path: str, *roles: Role) -> list[int]:
    return [(await world.get(path, *roles)).status for _ in range(count)]


async def test_nobody_gets_sixty_a_minute() -> None:
    async with web_world(per_account=1000, per_address=60) as world:
        assert await statuses(world, 61, PATH) == [401] * 60 + [429]
        refused = await world.get(PATH)
        assert refused.body["errors"][0]["code"] == "RATE_LIMIT_EXCEEDED"
        assert refused.headers["X-RateLimit-Limit"] == "60"
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        # The clock stood still: the whole minute is left.
        assert refused.headers["X-RateLimit-Reset"] == refused.headers["Retry-After"] == "60"


async def test_a_minute_later_all_are_available_again() -> None:
    async with web_world(per_account=1000, per_address=2) as world:
        await statuses(world, 3, PATH)
        world.clock.advance_s(60.0)
        assert await statuses(world, 3, PATH) == [401, 401, 429]


async def test_an_account_has_its_own_limit_wherever_it_asks_from() -> None:
    async with web_world(per_account=3, per_address=1) as world:
        world.site.add("kaduna/vehicle/truck-1/fuel_pct", 50.0, NOW_MS)
        assert await statuses(world, 4, PATH, Role.ANALYST) == [200, 200, 200, 429]
        assert (await world.get(PATH)).status == 401


async def test_the_headers_count_down() -> None:
    async with web_world(per_account=1000, per_address=60) as world:
        left = [
            int((await world.get(PATH, Role.ANALYST)).headers["X-RateLimit-Remaining"])
            for _ in range(3)
        ]
        assert left == [999, 998, 997]


async def test_tokens_that_are_no_good_are_counted_by_address() -> None:
    async with web_world(per_account=1000, per_address=2) as world:
        wrong = {"Authorization": "Bearer x.y.z"}
        found = [(await world.ask("GET", PATH, headers=wrong)).status for _ in range(3)]
        assert found == [401, 401, 429]


async def test_probes_are_counted_apart_and_readiness_never() -> None:
    async with web_world(per_account=1000, per_address=2) as world:
        await statuses(world, 3, PATH)  # uses up what the address has
        assert await statuses(world, 3, "/healthz") == [200, 200, 429]
        assert await statuses(world, 5, "/readyz") == [200] * 5


async def test_sockets_are_counted_apart_and_ten_times_as_many() -> None:
    async with web_world(per_account=1000, per_address=1) as world:
        assert await statuses(world, 11, "/ws/sensors") == [400] * 10 + [429]
        assert await statuses(world, 1, PATH) == [401]


async def test_files_of_the_page_are_free() -> None:
    async with web_world(per_account=1000, per_address=1) as world:
        assert await statuses(world, 3, "/") == [503] * 3


async def test_switched_off_there_is_no_limit_and_the_headers_say_so() -> None:
    async with web_world(per_account=0, per_address=0) as world:
        assert await statuses(world, 70, PATH) == [401] * 70
        answer = await world.get(PATH)
        assert int(answer.headers["X-RateLimit-Remaining"]) > 1_000_000

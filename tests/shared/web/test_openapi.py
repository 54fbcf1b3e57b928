"""The OpenAPI document is whole, consistent, and says what the routes do."""

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter

from shared.access.roles import Right
from shared.web.health import health_routes
from shared.web.openapi import build_openapi
from shared.web.routes import Audience, Route
from tests.support.web_world import ROUTES

TABLE = (*ROUTES, *health_routes(CollectorRegistry(), ()))
DOCUMENT = build_openapi(TABLE, title="Test", version="1", description="Test")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        members = cast("dict[str, Any]", part)
        if "$ref" in members:
            yield members["$ref"]
        for value in members.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in cast("list[Any]", part):
            yield from references(value)


def test_it_is_openapi_3_1_with_every_path_of_the_table() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    expected = {(path, route.method.lower()) for route in TABLE for path in route.paths}
    assert {(path, method) for path, method, _ in operations()} == expected


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        found: Any = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
        assert found


def test_operation_ids_are_unique_and_usable_as_names() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)


def test_every_part_of_a_path_is_a_required_parameter_and_no_other_is() -> None:
    for path, _, operation in operations():
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")


def test_every_parameter_and_operation_is_described() -> None:
    for _, _, operation in operations():
        assert operation["summary"]
        assert operation["description"]
        for parameter in operation["parameters"]:
            assert parameter["schema"]


def test_every_operation_has_all_its_errors_and_headers() -> None:
    for _, _, operation in operations():
        statuses = set(operation["responses"])
        assert statuses >= {"429", "500", "503"}
        success = next(iter(operation["responses"].values()))
        assert "X-Request-Id" in success["headers"]
        assert success["content"]
        if operation["security"]:
            assert "401" in statuses


def test_422_is_never_answered() -> None:
    assert not any("422" in operation["responses"] for _, _, operation in operations())


def test_rights_are_told_with_their_roles() -> None:
    operation = DOCUMENT["paths"]["/api/v1/safety/workers"]["get"]
    assert "`workers:read`" in operation["description"]
    assert "admin, remote_engineer, safety_officer" in operation["description"]


def test_signing_in_is_described_for_oauth_clients() -> None:
    flow = DOCUMENT["components"]["securitySchemes"]["password"]["flows"]["password"]
    assert flow["tokenUrl"] == "/api/v1/auth/token"
    answer = DOCUMENT["paths"][flow["tokenUrl"]]["post"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    assert {"access_token", "token_type", "expires_in", "refresh_token"} <= set(schema["required"])
    body = DOCUMENT["paths"][flow["tokenUrl"]]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "route",
    [route for route in TABLE if route.enveloped and route.data],
    ids=lambda route: route.name,
)
def test_every_example_is_a_possible_answer(route: Route) -> None:
    assert route.example is not None
    adapter = TypeAdapter(route.data)
    written = adapter.dump_python(adapter.validate_python(route.example), mode="json")
    assert written == msgspec.json.decode(msgspec.json.encode(route.example))


def test_every_route_says_who_may() -> None:
    assert all(isinstance(route.access, Right | Audience) for route in TABLE)

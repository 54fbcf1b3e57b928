"""docs/contract.md names everything that outsiders can rely on."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from central.api.routes import ROUTES
from edge.api.routes import ROUTES as EDGE_ROUTES
from shared.access.roles import ROLES_OF_RIGHT, Right, Role
from shared.errors import CODE_OF_STATUS
from shared.web.application import OPENAPI_PATH
from shared.web.health import health_routes
from shared.web.routes import Route
from shared.web.socket_messages import CloseCode
from shared.web.sockets import FEEDS

PAGE = (Path(__file__).parents[3] / "docs" / "contract.md").read_text(encoding="utf-8")
HEALTH = health_routes(CollectorRegistry(), ())


@pytest.mark.parametrize("routes", [ROUTES, EDGE_ROUTES, HEALTH], ids=["central", "edge", "health"])
def test_every_route_is_on_the_page(routes: Sequence[Route]) -> None:
    addresses = [f"`{route.method} {path}`" for route in routes for path in route.paths]
    assert [address for address in addresses if address not in PAGE] == []


def test_every_document_and_page_is_there() -> None:
    assert all(f"`GET {path}`" in PAGE for path in (OPENAPI_PATH, "/docs", "/redoc", "/"))


def test_every_right_stands_beside_its_routes_with_its_roles() -> None:
    for route in ROUTES:
        if not isinstance(route.access, Right):
            continue
        (row,) = [line for line in PAGE.splitlines() if f"| `GET {route.paths[0]}` |" in line]
        named = {role for role in Role if role in row}
        assert f"`{route.access}`" in row
        assert named == ROLES_OF_RIGHT[route.access] or "every role" in row


@pytest.mark.parametrize("status", CODE_OF_STATUS)
def test_every_error_has_its_row(status: int) -> None:
    assert f"| {status} | `{CODE_OF_STATUS[status]}` |" in PAGE


def test_every_socket_and_close_code_is_there() -> None:
    assert all(f"`{feed.path}`" in PAGE for feed in FEEDS)
    explained = {code for code in CloseCode if f"| {int(code)} |" in PAGE}
    assert set(CloseCode) - explained == {CloseCode.NORMAL}  # answers a client that leaves


def test_every_role_is_named() -> None:
    assert all(f"`{role}`" in PAGE for role in Role)

"""Building of an application: the route table, the sockets, the page and the front around them."""

import json
from collections.abc import Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry

from shared.web.admission import RateClass
from shared.web.context import PARTS, WebParts
from shared.web.dispatch import Handle, handle_of
from shared.web.health import health_routes
from shared.web.middleware import front, stamp
from shared.web.openapi import build_openapi
from shared.web.pages import page_handles
from shared.web.parameters import BODY_SIZE_MAX_BYTES
from shared.web.routes import Route
from shared.web.socket_session import serve_feed
from shared.web.sockets import Feed

OPENAPI_PATH = "/openapi.json"


def build_application(
    *,
    routes: Sequence[Route],
    feeds: Sequence[Feed],
    parts: WebParts,
    registry: CollectorRegistry,
    description: str,
) -> web.Application:
    """Return an application that serves ``routes`` and ``feeds`` from ``parts``.

    Health, readiness, metrics, the OpenAPI document and the pages come with it. When it shuts
    down, its sockets are closed first. ``registry`` is what ``/metrics`` shows.
    """
    settings = parts.settings
    table = (*routes, *health_routes(registry, settings.metrics_allow))
    pages = page_handles(settings.static_dir)
    rate_classes = dict.fromkeys(pages, RateClass.FREE)
    rate_classes |= {feed.path: RateClass.SOCKET for feed in feeds}
    rate_classes |= {path: route.rate_class for route in table for path in route.paths}
    application = web.Application(
        middlewares=[front(rate_classes)], client_max_size=BODY_SIZE_MAX_BYTES
    )
    application[PARTS] = parts
    application.on_response_prepare.append(stamp)
    application.on_shutdown.append(_close_sockets)
    for route in table:
        for path in route.paths:
            _add(application, route.method, path, handle_of(route))
    for feed in feeds:
        application.router.add_get(feed.path, serve_feed(feed), allow_head=False)
    document = build_openapi(
        table, title=settings.title, version=settings.version, description=description
    )
    _add(application, "GET", OPENAPI_PATH, _openapi_handle(json.dumps(document).encode()))
    for path, handle in pages.items():
        _add(application, "GET", path, handle)
    parts.metrics.gauge("web_sockets", "Open sockets", lambda: parts.hub.socket_count)
    return application


def _add(application: web.Application, method: str, path: str, handle: Handle) -> None:
    if method == "GET":
        application.router.add_get(path, handle)  # and HEAD, which GET promises
    else:
        application.router.add_route(method, path, handle)


def _openapi_handle(document: bytes) -> Handle:
    async def handle(_: web.Request) -> web.StreamResponse:
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=document, content_type="application/json", headers=headers)

    return handle


async def _close_sockets(application: web.Application) -> None:
    application[PARTS].hub.close()

"""From a route to an aiohttp function: access, parameters, time limits, rendering of the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from shared.access.roles import Right
from shared.errors import ApiError, UnavailableError, invalid_field
from shared.web.admission import Visit
from shared.web.envelope import JSON_TYPE, success_body
from shared.web.etags import matches
from shared.web.parameters import RequestReading, decode_json, single_values
from shared.web.routes import (
    FORM_BODY,
    Audience,
    Call,
    Reply,
    Route,
    parts_of,
    visit_of,
)

BODY_TIMEOUT_S = 15.0  # 64 kB over a bad satellite link take 10 s; slower is an attack
ANSWER_TIMEOUT_S = 30.0  # as long as the database may work on one statement

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handle_of(route: Route) -> Handle:
    """Return the function that aiohttp calls for ``route``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        _check_access(route, visit_of(request))
        _check_accept(route, request)
        call = await _read(route, request)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await route.answer(call)
        except TimeoutError as error:
            raise UnavailableError(f"no answer within {ANSWER_TIMEOUT_S:g} s") from error
        return answer if isinstance(answer, web.StreamResponse) else _render(route, request, answer)

    return handle


def _check_access(route: Route, visit: Visit) -> None:
    if route.access is Audience.ANYONE:
        return
    if visit.principal is None:
        raise unauthorized(visit.refusal)
    if not route.admits(visit.principal.roles):
        assert isinstance(route.access, Right)
        raise ApiError(403, f"this needs the right {route.access}, which your role does not give")


def unauthorized(refusal: str | None) -> ApiError:
    """Return the 401 for a request without a token, or with one refused for ``refusal``."""
    challenge = 'Bearer realm="headframe"'
    if refusal is None:
        return ApiError(401, "sign in first", headers={"WWW-Authenticate": challenge})
    challenge += ', error="invalid_token"'
    return ApiError(401, refusal, headers={"WWW-Authenticate": challenge})


def _check_accept(route: Route, request: web.Request) -> None:
    accept = request.headers.get("Accept")
    if accept is None or "*/*" in accept or route.media_type in accept:
        return
    wanted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    family = route.media_type.split("/")[0] + "/*"
    if not wanted & {route.media_type, family, ""}:
        raise ApiError(406, f"this answers in {route.media_type} only")


async def _read(route: Route, request: web.Request) -> Call:
    try:
        return await _read_parts(route, request)
    except ApiError as error:
        error.extra = {**route.beside_refusal, **error.extra}
        raise


async def _read_parts(route: Route, request: web.Request) -> Call:
    reading = RequestReading()
    query = reading.query(route.query, request.query)
    path = reading.path(route.path_model, request.match_info)
    body: BaseModel | None = None
    if route.body is not None:
        body = reading.body(route.body, await _body_value(route, request))
    reading.refuse_mistakes()
    assert query is not None
    assert path is not None
    return Call(request, parts_of(request), visit_of(request), query, path, body)


async def _body_value(route: Route, request: web.Request) -> Any:
    if not route.needs_body and not request.can_read_body:
        return {}  # nothing was sent, so nothing can have the wrong type
    if request.content_type not in route.body_types:
        expected = " or ".join(route.body_types)
        raise ApiError(415, f"Content-Type must be {expected}, got {request.content_type[:100]}")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            if request.content_type == FORM_BODY:
                return single_values((name, str(text)) for name, text in await _form(request))
            content = await request.read()
            return decode_json(content) if content or route.needs_body else {}
    except TimeoutError as error:
        raise ApiError(408, f"the body did not arrive within {BODY_TIMEOUT_S:g} s") from error


async def _form(request: web.Request) -> list[tuple[str, str | web.FileField | bytearray | bytes]]:
    try:
        return list((await request.post()).items())
    except (UnicodeDecodeError, LookupError, ValueError) as error:
        raise invalid_field("body", "not a form in UTF-8") from error


def _render(route: Route, request: web.Request, reply: Reply) -> web.Response:
    headers = {"Cache-Control": "no-store", **reply.headers}
    if reply.etag is not None:
        headers["ETag"] = reply.etag
        headers["Cache-Control"] = "private, no-cache"
        wanted = request.headers.get("If-Match")  # comes before If-None-Match: RFC 9110, 13.2.2
        if wanted is not None and not matches(wanted, reply.etag):
            raise ApiError(412, "the resource is not in the state that If-Match names")
        if matches(request.headers.get("If-None-Match"), reply.etag):
            return web.Response(status=304, headers=headers)
    if isinstance(reply.data, bytes):
        headers.setdefault("Content-Type", route.media_type)
        return web.Response(body=reply.data, status=reply.status, headers=headers)
    body = success_body(reply.data, status=reply.status, detail=reply.detail, extra=reply.extra)
    return web.Response(body=body, status=reply.status, headers=headers, content_type=JSON_TYPE)

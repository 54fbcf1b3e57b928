"""The front of every application: admission, the headers, and errors in the envelope."""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.errors import CODE_OF_STATUS, ApiError, UnavailableError
from shared.logs import get_log
from shared.web.admission import Allowance, RateClass, Visit
from shared.web.context import PARTS, VISIT
from shared.web.envelope import JSON_TYPE, error_body
from shared.web.parameters import BODY_SIZE_MAX_BYTES

_log = get_log("web")

RETRY_UNAVAILABLE_S = 2  # a database restarts, a queue empties in about that time

# What every page and every answer of the API may load: only what this server itself serves.
SECURITY_HEADERS: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def front(rate_classes: Mapping[str, RateClass]) -> Middleware:
    """Return the outermost middleware; ``rate_classes`` names the paths not simply counted."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        parts = request.app[PARTS]
        visit = request[VISIT] = admit_request(request, rate_classes.get(request.path))
        response = await _answer(request, handler, visit)
        if response.status != 101:  # a socket lives for hours: no duration of a request
            parts.metrics.observe(
                _route_name(request),
                request.method,
                response.status,
                parts.clock.monotonic_s() - visit.started_s,
            )
        return response

    return admit


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers every response carries; a signal called just before they are sent."""
    visit = request.get(VISIT)
    if visit is None:  # refused before the middleware, for instance for an Expect header
        visit = admit_request(request, None)
    request.app[PARTS].admission.stamp(response.headers, visit)
    for name, text in SECURITY_HEADERS.items():
        response.headers.setdefault(name, text)


def admit_request(request: web.BaseRequest, rate_class: RateClass | None) -> Visit:
    """Return the visit of ``request``."""
    assert isinstance(request, web.Request)
    return request.app[PARTS].admission.admit(
        address=request.remote,
        authorization=request.headers.get("Authorization"),
        request_id=request.headers.get("X-Request-Id"),
        rate_class=rate_class or RateClass.COUNTED,
    )


def error_response(error: ApiError) -> web.Response:
    """Return ``error`` as a response in the envelope."""
    headers = {"Cache-Control": "no-store", **error.headers}
    return web.Response(
        body=error_body(error), status=error.status, headers=headers, content_type=JSON_TYPE
    )


async def _answer(request: web.Request, handler: Handler, visit: Visit) -> web.StreamResponse:
    if not visit.allowance.allowed:
        return error_response(_too_many(visit.allowance))
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error)
    except web.HTTPException as error:
        return _translated(request, error)
    except UnavailableError as error:
        _log.warning("unavailable", path=request.path, reason=str(error))
        return error_response(_unavailable(error))
    except ConnectionError:
        raise  # the client has gone; there is nobody to answer
    except Exception:  # noqa: BLE001 - the outermost edge: a fault of one request stops no other
        _log.exception("request failed", path=request.path, request_id=visit.request_id)
        return error_response(internal_error(visit.request_id))


def internal_error(request_id: str) -> ApiError:
    """Return the 500 that says nothing but where to look."""
    return ApiError(500, f"something went wrong here; the log names request {request_id}")


def _unavailable(error: UnavailableError) -> ApiError:
    # A store's own words may name hosts and tables; ours are written for whoever asked.
    ours = type(error) is UnavailableError
    detail = str(error) if ours else "the data cannot be reached right now; try again"
    return ApiError(503, detail, headers={"Retry-After": str(RETRY_UNAVAILABLE_S)})


def _too_many(allowance: Allowance) -> ApiError:
    return ApiError(
        429,
        f"more than {allowance.limit} requests in a minute; again in {allowance.reset_s} s",
        headers={"Retry-After": str(max(allowance.reset_s, 1))},
    )


def _translated(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
            if request.method == "OPTIONS":
                return web.Response(status=204, headers={"Allow": allowed})
            detail = f"{request.method[:20]} is not possible here; possible are {allowed}"
            return error_response(ApiError(405, detail, headers={"Allow": allowed}))
        case web.HTTPNotFound():
            return error_response(ApiError(404, f"there is nothing at {request.path[:200]}"))
        case web.HTTPRequestEntityTooLarge():
            return error_response(
                ApiError(413, f"the body has more than {BODY_SIZE_MAX_BYTES} bytes")
            )
        case _ if error.status in CODE_OF_STATUS:
            return error_response(ApiError(error.status, error.reason))
        case _:
            raise error


def _route_name(request: web.Request) -> str:
    # Never the path itself: its variable parts would make a metric for every id ever asked for.
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"

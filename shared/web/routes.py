"""The route table: one declaration gives the address, the right, the checks and the documentation.

A route says what it needs and what it answers; everything that can go wrong before its function
runs (no token, no right, a wrong parameter, a body too large) is decided here, the same for all.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from shared.access.roles import Right, Role, may
from shared.access.tokens import Principal
from shared.web.admission import RateClass, Visit
from shared.web.context import PARTS, VISIT, WebParts
from shared.web.parameters import NoParameters

API_V1 = "/api/v1"
API_UNVERSIONED = "/api"  # the auth and production families also answer here
JSON_BODY = "application/json"
FORM_BODY = "application/x-www-form-urlencoded"

ModelT = TypeVar("ModelT", bound=BaseModel)


class Audience(StrEnum):
    """Who may use a route that needs no particular right."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"  # any valid token, also of an account that waits for approval


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request with its parameters checked."""

    request: web.Request
    parts: WebParts
    visit: Visit
    query: BaseModel
    path: BaseModel
    body: BaseModel | None

    @property
    def principal(self) -> Principal:
        """Return who asks; only routes that are open to anyone have nobody here.

        Raises:
            ValueError: if nobody is signed in.
        """
        if self.visit.principal is None:
            raise ValueError("this route does not ask for a token")
        return self.visit.principal

    @property
    def now_ms(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return self.parts.clock.utc_ms()

    def query_as(self, model: type[ModelT]) -> ModelT:
        """Return the query, which the route declared to be ``model``."""
        assert isinstance(self.query, model)
        return self.query

    def path_as(self, model: type[ModelT]) -> ModelT:
        """Return the path's parts, which the route declared to be ``model``."""
        assert isinstance(self.path, model)
        return self.path

    def body_as(self, model: type[ModelT]) -> ModelT:
        """Return the body, which the route declared to be ``model``."""
        assert isinstance(self.body, model)
        return self.body

    async def site(self, requested: str | None) -> str:
        """Return the site the call is about: the one named, else the account's only one.

        Raises:
            ApiError: 404 or 400, see :meth:`KnownSites.resolve`.
        """
        return await self.parts.known_sites.resolve(self.principal, requested)


@dataclass(frozen=True, slots=True)
class Reply:
    """A success: the data of the envelope, and what stands beside it.

    ``etag`` identifies the state of the resource (not the bytes); with it the answer becomes 304
    for a client that has that state.
    """

    data: Any
    status: int = 200
    detail: str | None = None
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])  # beside the envelope


Answer = Callable[[Call], Awaitable[Reply | web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the HTTP interface."""

    method: str
    path: str  # below each of `prefixes`
    name: str  # unique; the operationId of OpenAPI
    summary: str
    access: Right | Audience
    answer: Answer
    tag: str
    description: str = ""
    prefixes: tuple[str, ...] = (API_V1,)
    query: type[BaseModel] = NoParameters
    path_model: type[BaseModel] = NoParameters
    body: type[BaseModel] | None = None
    body_types: tuple[str, ...] = (JSON_BODY,)
    data: Any = None  # type of the envelope's data; with `enveloped` false, of the whole body
    beside: Any = None  # type of further members beside those of the envelope
    beside_refusal: Mapping[str, str] = field(default_factory=dict[str, str])  # of a bad request
    enveloped: bool = True
    media_type: str = JSON_BODY
    status: int = 200
    errors: tuple[int, ...] = ()  # beside those that follow from the declaration
    example: Any = None  # of data
    body_example: Any = None
    has_etag: bool = False
    rate_class: RateClass = RateClass.COUNTED

    @property
    def paths(self) -> tuple[str, ...]:
        """Return every path it answers under, the canonical one first."""
        return tuple(prefix + self.path for prefix in self.prefixes)

    @property
    def needs_body(self) -> bool:
        """Tell whether a request without a body cannot be right."""
        fields = {} if self.body is None else self.body.model_fields
        return any(field.is_required() for field in fields.values())

    @property
    def possible_errors(self) -> tuple[int, ...]:
        """Return every error status the route may answer, ascending."""
        found = {429, 500, 503, *self.errors}
        if self.access is not Audience.ANYONE:
            found.add(401)
        if isinstance(self.access, Right):
            found.add(403)
        if self.body is not None:
            found |= {400, 408, 413, 415}
        if self.query is not NoParameters or self.path_model is not NoParameters:
            found.add(400)
        if self.has_etag:
            found.add(412)
        if self.media_type == JSON_BODY:
            found.add(406)
        return tuple(sorted(found))

    def admits(self, roles: tuple[Role, ...]) -> bool:
        """Tell whether a signed-in account with ``roles`` may use the route."""
        return isinstance(self.access, Audience) or may(roles, self.access)


def parts_of(request: web.Request) -> WebParts:
    """Return the parts of the application that serves ``request``."""
    return request.app[PARTS]


def visit_of(request: web.Request) -> Visit:
    """Return what is known of ``request``."""
    return request[VISIT]

"""The OpenAPI 3.1 document, made from the route table. Pure: routes in, document out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter

from shared.access.roles import ROLES_OF_RIGHT, Right
from shared.errors import CODE_OF_STATUS
from shared.web.parameters import NoParameters
from shared.web.routes import Audience, Route

OPENAPI_VERSION = "3.1.0"
_COMPONENT = "#/components/schemas/{model}"

Document = dict[str, Any]
SchemaOf = Mapping[tuple[str, str], Document]  # (route name, data or beside) -> schema

_HEADERS: Mapping[str, tuple[str, str]] = {
    "X-Process-Time": ("number", "seconds from the headers of the request to those of the answer"),
    "X-Request-Id": ("string", "the request's own if it had a usable one, else a new one"),
    "X-RateLimit-Limit": ("integer", "requests per minute"),
    "X-RateLimit-Remaining": ("integer", "of these, left"),
    "X-RateLimit-Reset": ("integer", "seconds until all are available again"),
    "X-User-Id": ("string", "`anonymous` when nobody is signed in"),
    "X-User-Type": ("string", "admin, member or anonymous"),
    "X-User-Role": ("string", "roles joined by commas"),
}
_MEANING: Mapping[int, str] = {
    400: "Something in the request is wrong; `errors` names every field",
    401: "No valid token",
    403: "The role does not give the right",
    404: "No such thing, or it belongs to another site",
    405: "Not this method",
    406: "The answer cannot be given in what Accept asks for",
    408: "The body did not arrive in time",
    409: "In conflict with the present state",
    412: "The resource is not in the state that If-Match names",
    413: "The body is too large",
    415: "The body has the wrong Content-Type",
    428: "If-Match is required",
    429: "Too many requests; Retry-After says when to try again",
    500: "A fault of the server; the log names the request",
    503: "Cannot answer right now; try again",
}
_ERROR_SCHEMA: Document = {
    "type": "object",
    "required": ["status_code", "data", "detail", "errors"],
    "properties": {
        "status_code": {"type": "integer"},
        "data": {"type": "null"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "field", "message"],
                "properties": {
                    "code": {"type": "string", "enum": sorted(set(CODE_OF_STATUS.values()))},
                    "field": {"type": ["string", "null"]},
                    "message": {"type": "string"},
                },
            },
        },
        "error": {"type": "string", "description": "of RFC 6749, where it applies"},
    },
}


def build_openapi(
    routes: Sequence[Route], *, title: str, version: str, description: str
) -> Document:
    """Return the document that describes ``routes``."""
    schema_of, components = _schemas(routes)
    paths: Document = {}
    for route in routes:
        for index, path in enumerate(route.paths):
            operation = _operation(route, schema_of, components)
            if index:
                operation["operationId"] += f"_{index + 1}"
                operation["description"] = f"The same as {route.paths[0]}. " + route.description
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": OPENAPI_VERSION,
        "info": {"title": title, "version": version, "description": description},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR_SCHEMA},
            "responses": {_error_name(status): _error_response(status) for status in _MEANING},
            "headers": {name: _header(*what) for name, what in _HEADERS.items()},
            "securitySchemes": _security_schemes(),
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[SchemaOf, Document]:
    types = {(route.name, "data"): route.data for route in routes if route.data is not None}
    types |= {(route.name, "beside"): route.beside for route in routes if route.beside is not None}
    schemas, definitions = TypeAdapter.json_schemas(
        [(key, "serialization", TypeAdapter(kind)) for key, kind in types.items()],
        ref_template=_COMPONENT,
    )
    components: Document = dict(definitions.get("$defs", {}))
    return {key: schemas[key, "serialization"] for key in types}, components


def _operation(route: Route, schema_of: SchemaOf, components: Document) -> Document:
    operation: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _described(route),
        "tags": [route.tag],
        "parameters": [
            *_parameters(route.path_model, "path", components),
            *_parameters(route.query, "query", components),
        ],
        "responses": _responses(route, schema_of, components),
        "security": [] if route.access is Audience.ANYONE else [{"bearer": []}, {"password": []}],
    }
    if route.body is not None:
        operation["requestBody"] = _request_body(route, route.body, components)
    return operation


def _described(route: Route) -> str:
    if isinstance(route.access, Right):
        roles = ", ".join(sorted(ROLES_OF_RIGHT[route.access]))
        return f"{route.description}\n\nRight: `{route.access}`. Roles: {roles}.".strip()
    return f"{route.description}\n\nFor anyone{_SIGNED_IN[route.access]}.".strip()


_SIGNED_IN: Mapping[Audience, str] = {Audience.ANYONE: "", Audience.SIGNED_IN: " who is signed in"}


def _parameters(model: type[BaseModel], place: str, components: Document) -> list[Document]:
    if model is NoParameters:
        return []
    schema = _model_schema(model, components)
    required = set(cast("list[str]", schema.get("required", [])))
    found: list[Document] = []
    for name, field in cast("dict[str, Document]", schema.get("properties", {})).items():
        own = {key: value for key, value in field.items() if key not in {"title", "description"}}
        found.append(
            {
                "name": name,
                "in": place,
                "required": place == "path" or name in required,
                "description": field.get("description", ""),
                "schema": own,
            }
        )
    return found


def _model_schema(model: type[BaseModel], components: Document) -> Document:
    schema = model.model_json_schema(mode="validation", ref_template=_COMPONENT)
    components.update(cast("Document", schema.pop("$defs", {})))
    return schema


def _request_body(route: Route, model: type[BaseModel], components: Document) -> Document:
    components[model.__name__] = _model_schema(model, components)
    media: Document = {"schema": {"$ref": _COMPONENT.format(model=model.__name__)}}
    if route.body_example is not None:
        media["example"] = route.body_example
    return {"required": route.needs_body, "content": dict.fromkeys(route.body_types, media)}


def _responses(route: Route, schema_of: SchemaOf, components: Document) -> Document:
    schema = schema_of.get((route.name, "data"), {"type": "null"})
    beside = _resolved(schema_of.get((route.name, "beside")), components)
    if route.enveloped:
        schema = _envelope(schema, route.status, beside)
    media: Document = {"schema": schema}
    if route.enveloped:
        top_level = {name: route.example[name] for name in beside["properties"]}
        envelope = {"status_code": route.status, "data": route.example, "detail": None}
        media["example"] = {**envelope, **top_level}
    responses: Document = {
        str(route.status): {
            "description": route.summary,
            "headers": _header_references(has_etag=route.has_etag),
            "content": {route.media_type: media},
        }
    }
    if route.has_etag:
        responses["304"] = {
            "description": "The client has this state already (If-None-Match)",
            "headers": _header_references(has_etag=True),
        }
    for status in route.possible_errors:
        responses[str(status)] = {"$ref": f"#/components/responses/{_error_name(status)}"}
    return responses


def _resolved(schema: Document | None, components: Document) -> Document:
    if schema is None:
        return {"properties": {}, "required": []}
    return components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _envelope(data: Document, status: int, beside: Document) -> Document:
    return {
        "type": "object",
        "required": ["status_code", "data", "detail", *beside["required"]],
        "properties": {
            "status_code": {"const": status},
            "data": data,
            "detail": {"type": ["string", "null"]},
            **beside["properties"],
        },
    }


def _error_name(status: int) -> str:
    return f"Error{status}"


def _error_response(status: int) -> Document:
    code, meaning = CODE_OF_STATUS[status], _MEANING[status]
    example = {
        "status_code": status,
        "data": None,
        "detail": meaning,
        "errors": [{"code": code, "field": None, "message": meaning}],
    }
    schema: Document = {"$ref": _COMPONENT.format(model="Error")}
    return {
        "description": f"`{code}`: {meaning}",
        "headers": _header_references(has_etag=False),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _header_references(*, has_etag: bool) -> Document:
    found: Document = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    if has_etag:
        found["ETag"] = {"schema": {"type": "string"}, "description": "of the present state"}
    return found


def _header(kind: str, description: str) -> Document:
    return {"schema": {"type": kind}, "description": description}


def _security_schemes() -> Document:
    token_url = "/api/v1/auth/token"  # noqa: S105 - an address
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT (RS256)"},
        "password": {
            "type": "oauth2",
            "flows": {
                "password": {"tokenUrl": token_url, "refreshUrl": token_url, "scopes": {}},
            },
        },
    }

"""The one shape of every JSON body: status_code, data, detail; errors on failure. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.errors import ApiError

JSON_TYPE = "application/json"

_ENCODER = msgspec.json.Encoder()


def success_body(
    data: Any,
    *,
    status: int = 200,
    detail: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the body of a success; ``extra`` members stand beside the envelope's own.

    ``data`` is whatever msgspec encodes: dataclasses, mappings, sequences, plain values. Numbers
    that JSON cannot write (NaN, infinities) become null.
    """
    body: dict[str, Any] = {"status_code": status, "data": data, "detail": detail}
    if extra:
        body.update(extra)
    return _ENCODER.encode(body)


def error_body(error: ApiError) -> bytes:
    """Return the body of a failure: data is null, detail a sentence, errors what is wrong where."""
    body: dict[str, Any] = {
        "status_code": error.status,
        "data": None,
        "detail": error.detail,
        "errors": error.mistakes,
    }
    body.update(error.extra)
    return _ENCODER.encode(body)

"""Errors that may cross the wire, each with a stable code. Owns the base class of all packages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class HeadframeError(Exception):
    """Base of every operating error; ``code`` is stable and may be logged, counted and sent."""

    code = "internal_error"


class ConfigurationError(HeadframeError):
    """A configuration that cannot be used; the message lists every mistake with file and key."""

    code = "configuration"


class TopicError(HeadframeError):
    """An MQTT topic outside ``mine/v1/{site}/{kind}/{id}/{channel}``."""

    code = "bad_topic"


class CodecError(HeadframeError):
    """A batch body that cannot be decoded."""

    code = "bad_body"


class UnknownFormatError(CodecError):
    """A batch body in a format newer than this program; it waits for a newer one."""

    code = "unknown_format"


class FrameError(HeadframeError):
    """A sync frame that does not follow the protocol."""

    code = "bad_frame"


class PeerViolationError(HeadframeError):
    """The other side of a session sent what may not come now; the session must end."""

    code = "peer_violation"


class IllegalEventError(HeadframeError):
    """A session was told of an event that cannot happen in its state: an error of its own side."""

    code = "illegal_event"


class AccessError(HeadframeError):
    """A token, password or account that gives no access."""

    code = "unauthorized"


class AggregateError(HeadframeError):
    """An aggregate that has no meaning for the values it was asked of."""

    code = "bad_aggregate"


class UnavailableError(HeadframeError):
    """A store or a part that cannot answer right now; asking again later may help."""

    code = "unavailable"


class ErrorCode(StrEnum):
    """The codes of the HTTP API; a client may rely on them, not on the sentences beside them."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    CONFLICT = "CONFLICT"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    EXPECTATION_FAILED = "EXPECTATION_FAILED"
    PRECONDITION_REQUIRED = "PRECONDITION_REQUIRED"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"


CODE_OF_STATUS: Mapping[int, ErrorCode] = MappingProxyType(
    {
        400: ErrorCode.INVALID_REQUEST,
        401: ErrorCode.UNAUTHORIZED,
        403: ErrorCode.FORBIDDEN,
        404: ErrorCode.RESOURCE_NOT_FOUND,
        405: ErrorCode.METHOD_NOT_ALLOWED,
        406: ErrorCode.NOT_ACCEPTABLE,
        408: ErrorCode.REQUEST_TIMEOUT,
        409: ErrorCode.CONFLICT,
        412: ErrorCode.PRECONDITION_FAILED,
        413: ErrorCode.PAYLOAD_TOO_LARGE,
        415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
        417: ErrorCode.EXPECTATION_FAILED,
        428: ErrorCode.PRECONDITION_REQUIRED,
        429: ErrorCode.RATE_LIMIT_EXCEEDED,
        500: ErrorCode.INTERNAL_ERROR,
        503: ErrorCode.SERVICE_UNAVAILABLE,
    }
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a request; ``field`` is a dotted name, ``None`` for the whole."""

    code: str
    field: str | None
    message: str


class ApiError(HeadframeError):
    """An answer of the HTTP API other than success: status, sentence, and what was wrong where."""

    code = "api"

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        mistakes: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """``extra`` are further members of the body beside the envelope (RFC 6749 wants some)."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.mistakes = tuple(mistakes) or (Mistake(CODE_OF_STATUS[status], None, detail),)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def invalid_field(field: str, message: str) -> ApiError:
    """Return the 400 for one wrong field."""
    mistake = Mistake(ErrorCode.INVALID_REQUEST, field, message)
    return ApiError(400, f"{field}: {message}", mistakes=(mistake,))

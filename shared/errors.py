"""Errors that may cross the wire, each with a stable code. Owns the base class of all packages."""


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


class FrameError(HeadframeError):
    """A sync frame that does not follow the protocol."""

    code = "bad_frame"


class AccessError(HeadframeError):
    """A token, password or account that gives no access."""

    code = "unauthorized"


class AggregateError(HeadframeError):
    """An aggregate that has no meaning for the values it was asked of."""

    code = "bad_aggregate"

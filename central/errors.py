"""Errors of central, one class per thing a caller may do about it."""

from shared.errors import HeadframeError, UnavailableError


class CentralError(HeadframeError):
    """Base of central's errors."""

    code = "central"


class StoreError(CentralError, UnavailableError):
    """PostgreSQL cannot be reached or cannot do the work now: the same call may succeed later."""

    code = "store"


class DataRefusedError(CentralError):
    """PostgreSQL will never take these values: repeating the call cannot help."""

    code = "data_refused"


class SchemaError(CentralError):
    """The database's schema is not the one this program works with."""

    code = "schema"


class BatchRefusedError(CentralError):
    """A batch that can never be applied; it goes to quarantine and the lane moves on."""

    code = "batch_refused"


class PoisonError(CentralError):
    """A stored batch that can never be unpacked; ``reason`` is one of a few stable words."""

    code = "poison"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class AccountError(CentralError):
    """An account that cannot be made or changed as asked; the message says what was expected."""

    code = "account"


class ConnectionEndedError(CentralError):
    """The connection of an edge is over; the message says how."""

    code = "connection_ended"

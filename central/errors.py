"""Errors of central, one class per thing a caller may do about it."""

from shared.errors import HeadframeError


class CentralError(HeadframeError):
    """Base of central's errors."""

    code = "central"


class StoreError(CentralError):
    """PostgreSQL cannot be reached or refused the work."""

    code = "store"


class BatchRefusedError(CentralError):
    """A batch that can never be applied; it goes to quarantine and the lane moves on."""

    code = "batch_refused"

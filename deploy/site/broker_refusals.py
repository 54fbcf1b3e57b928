"""Which lines of the broker's log tell of something it refused, and why. Pure.

The broker speaks MQTT 3.1.1, which has no negative answer to a publish: a message without the
right to its topic is acknowledged and dropped. Only the log tells, so it is read and counted.
"""

import re

# In the order of the search; the names stand in metrics and on the page.
_PATTERNS = (
    ("not_permitted", re.compile(r"Publish Violation")),
    ("payload_too_large", re.compile(r"maximum payload exceeded", re.IGNORECASE)),
    ("bad_client_id", re.compile(r"invalid character in client ID")),
    ("bad_topic", re.compile(r"not supported for MQTT topics|topic|wildcards", re.IGNORECASE)),
    ("bad_login", re.compile(r"authentication error - User|unable to connect: authentication")),
    ("subscription_not_permitted", re.compile(r"Subscription Violation")),
    ("too_many_connections", re.compile(r"maximum connections exceeded", re.IGNORECASE)),
    ("slow_reader", re.compile(r"Slow Consumer", re.IGNORECASE)),
    (
        "store_full",
        re.compile(
            r"insufficient (storage|resources)|maximum bytes exceeded"
            r"|JetStream failed|no JetStream ack|ack pipeline stopped",
            re.IGNORECASE,
        ),
    ),
    ("other", re.compile(r"mid:\d+ ")),
)
REASONS = tuple(reason for reason, _ in _PATTERNS)
_ERROR = re.compile(r"\[(ERR|WRN)\]")
_CLIENT_ID = re.compile(r'(mid:\d+ - )".*?" - ')  # a device's own words are no reason


def refusal_reason(line: str) -> str | None:
    """Return the reason in a line of the broker's log, None if nothing was refused."""
    if not _ERROR.search(line):
        return None
    if "unable to connect" in line:
        return None  # follows the line that said why
    told = _CLIENT_ID.sub(r"\1", line, count=1)
    return next((reason for reason, pattern in _PATTERNS if pattern.search(told)), None)

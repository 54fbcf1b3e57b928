"""Publishers' accounts for a durable listener, and the greeting they send."""

import json
from pathlib import Path
from typing import Any

from edge.ingest.listener.accounts_file import hash_generated
from edge.ingest.stream import MQTT_5, encode_length, encode_text

PASSWORD = "correct horse battery"
_HASHED = hash_generated(PASSWORD)


def account(username: str, *devices: str, **more: Any) -> dict[str, Any]:
    """Return an entry of the accounts file; everybody has the same password."""
    return {"username": username, "password_hash": _HASHED, "devices": devices} | more


def write_accounts(file: Path, *accounts: dict[str, Any]) -> Path:
    file.write_text(json.dumps(accounts))
    return file


def connect(
    *,
    version: int = 4,
    client_id: str = "gas-1",
    clean: bool = True,
    keepalive_s: int = 60,
    username: str | None = "gas-1",
    password: str | None = PASSWORD,
    will: tuple[str, bytes] | None = None,
    will_properties: bytes = b"",
    will_qos: int = 1,
    properties: bytes = b"",
    protocol: str = "MQTT",
) -> bytes:
    """Return a CONNECT as a device sends it."""
    flags = 0x02 if clean else 0
    payload = encode_text(client_id)
    if will is not None:
        flags |= 0x04 | will_qos << 3
        if version == MQTT_5:
            payload += encode_length(len(will_properties)) + will_properties
        payload += encode_text(will[0]) + len(will[1]).to_bytes(2, "big") + will[1]
    for bit, text in ((0x80, username), (0x40, password)):
        if text is not None:
            flags |= bit
            payload += encode_text(text)
    body = encode_text(protocol) + bytes((version, flags)) + keepalive_s.to_bytes(2, "big")
    if version == MQTT_5:
        body += encode_length(len(properties)) + properties
    body += payload
    return b"\x10" + encode_length(len(body)) + body

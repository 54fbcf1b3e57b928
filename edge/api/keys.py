"""Keys of the edge: its own for the tokens it gives out, central's public ones to verify tokens."""

import asyncio
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from edge.errors import LocalStateError
from shared.access.tokens import (
    TokenVerifier,
    VerificationKey,
    load_jwks,
    load_signing_key,
)
from shared.errors import ConfigurationError
from shared.logs import get_log

_log = get_log("keys")

CHECK_INTERVAL_S = 5.0  # how long a new key of central may go unnoticed
OWN_KEY_BITS = 2048
_OWN_KEY_NAME = "signing_key.pem"


def own_signing_key(configured: Path | None, state_dir: Path) -> RSAKey:
    """Return the key in the configured file, else the edge's own, made at its first start.

    Raises:
        ConfigurationError: if the file cannot be used.
        LocalStateError: if a new key cannot be written.
    """
    if configured is not None:
        return load_signing_key(configured)
    file = state_dir / _OWN_KEY_NAME
    if not file.exists():
        _write_new_key(file)
    return load_signing_key(file)


def _write_new_key(file: Path) -> None:
    pem = rsa.generate_private_key(public_exponent=65537, key_size=OWN_KEY_BITS).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Whole or not at all, and never readable by others, not even for a moment.
    unfinished = file.with_suffix(".new")
    try:
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(pem)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    except OSError as error:
        raise LocalStateError(f"{file}: cannot be written: {error.strerror}") from error


class CentralKeys:
    """Central's public keys, read again when their file changes."""

    def __init__(self, file: Path | None, own: VerificationKey, verifier: TokenVerifier) -> None:
        """Without a file, or before it is there, only the edge's own tokens are accepted."""
        self._file = file
        self._own = own
        self._verifier = verifier
        self._version: tuple[int, int] | None = None

    async def watch(self) -> None:
        """Keep the verifier up to date; runs until cancelled."""
        while True:
            self._accept(await asyncio.to_thread(self._changed_keys))
            await asyncio.sleep(CHECK_INTERVAL_S)

    def refresh(self) -> None:
        """Read the file if it has changed; one that cannot be used leaves the keys as they were."""
        self._accept(self._changed_keys())

    def _changed_keys(self) -> list[VerificationKey] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None  # central has not been heard yet
        version = (found.st_mtime_ns, found.st_size)
        if version == self._version:
            return None
        self._version = version
        try:
            return load_jwks(self._file)
        except ConfigurationError as error:
            _log.error("keys of central cannot be read; the known ones stay", reason=str(error))
            return None

    def _accept(self, keys: list[VerificationKey] | None) -> None:
        if keys is None:
            return
        # A key of central under the edge's own kid would have to be the same key.
        others = [key for key in keys if key.kid != self._own.kid]
        self._verifier.replace_keys([self._own, *others])
        _log.info("keys of central read", keys=len(others))

"""Files that only their owner may read, written whole or not at all."""

import os
import secrets
import string
from pathlib import Path

_PASSWORD_LETTERS = string.ascii_letters + string.digits  # safe in shells, TOML and URLs
PASSWORD_LENGTH = 28  # 62**28 is 166 bits


def write_private(
    file: Path,
    content: str | bytes,
    *,
    mode: int = 0o600,
    owner: tuple[int, int] | None = None,
) -> None:
    """Replace ``file`` by ``content`` atomically and durably, readable as ``mode`` says.

    ``owner`` is the uid and gid to give it to; None keeps the caller's.

    Raises:
        OSError: if the folder cannot be written; ``file`` is then as it was.
    """
    data = content.encode() if isinstance(content, str) else content
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fchmod(out.fileno(), mode)  # whatever the umask was
            if owner is not None:
                os.fchown(out.fileno(), *owner)
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(file.parent)


def kept_password(file: Path) -> str:
    """Return the password in ``file``, making a random one the first time."""
    if not file.exists():
        write_private(file, make_password() + "\n")
    return file.read_text(encoding="ascii").strip()


def make_password() -> str:
    """Return a random password of letters and digits."""
    return "".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(PASSWORD_LENGTH))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

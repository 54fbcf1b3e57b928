"""Whether a child answers: small readiness probes that never raise."""

import asyncio
import contextlib
import ssl
from pathlib import Path

PROBE_TIMEOUT_S = 2.0
_STATUS_LINE_MAX_BYTES = 4096


async def http_answers(host: str, port: int, path: str, *, certificate: Path | None = None) -> bool:
    """Return whether ``GET path`` is answered with 200; ``certificate`` is what TLS must show."""
    context = None if certificate is None else _pinned(certificate)
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, limit=_STATUS_LINE_MAX_BYTES
            )
            try:
                writer.write(request.encode())
                status = await reader.readline()
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        return False
    return status.split(b" ")[1:2] == [b"200"]


async def port_answers(host: str, port: int) -> bool:
    """Return whether something accepts connections on ``host`` and ``port``."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return True


def _pinned(certificate: Path) -> ssl.SSLContext:
    # The listener must show exactly this certificate, whatever name it is for.
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context

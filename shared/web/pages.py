"""Files of the page, the API viewers, and what may run in them (the content security policy)."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from shared.web.dispatch import Handle

# Names that Vite makes from the content: they never change, so they may be kept for a year.
_FOREVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self'; object-src 'none'"
)
# Swagger UI and ReDoc style their elements from JavaScript; nothing else is allowed to them.
VIEWER_POLICY = PAGE_POLICY + "; style-src 'self' 'unsafe-inline'"

_MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

NOT_BUILT = """\
The page of this server is not built.

The API works without it. To build the page, run in the project's folder:

    cd shared/pages && npm ci && npm run build

and start the server again. `./deploy/up` does this by itself.
"""

_VIEWERS: Mapping[str, tuple[str, str, str]] = {
    "/docs": (
        "vendor/swagger-ui/swagger-ui-bundle.js",
        (
            '<link rel="stylesheet" href="/vendor/swagger-ui/swagger-ui.css">'
            '<link rel="icon" href="/vendor/swagger-ui/favicon-32x32.png">'
            '<script src="/vendor/swagger-ui/swagger-ui-bundle.js" defer></script>'
            '<script src="/vendor/swagger-ui/init.js" defer></script>'
        ),
        '<div id="swagger-ui"></div>',
    ),
    "/redoc": (
        "vendor/redoc/redoc.standalone.js",
        (
            '<link rel="icon" href="/vendor/redoc/icon.svg">'
            '<script src="/vendor/redoc/redoc.standalone.js" defer></script>'
            '<script src="/vendor/redoc/init.js" defer></script>'
        ),
        '<div id="redoc"></div>',
    ),
}


def static_files(static_dir: Path) -> dict[str, Path]:
    """Return every file below ``static_dir`` by its address.

    Read once, at start: what is not in this list does not exist, so no request can name a file
    elsewhere. Links are followed only to files inside the folder.
    """
    if not static_dir.is_dir():
        return {}
    root = static_dir.resolve()
    files = {
        "/" + path.relative_to(static_dir).as_posix(): path
        for path in sorted(static_dir.rglob("*"))
        if path.is_file() and path.resolve().is_relative_to(root)
    }
    return {address: path for address, path in files.items() if path.suffix in _MEDIA_TYPES}


def page_handles(static_dir: Path) -> dict[str, Handle]:
    """Return what answers ``/``, ``/docs``, ``/redoc`` and every file of the page."""
    files = static_files(static_dir)
    handles = {address: _file_handle(address, path) for address, path in files.items()}
    index = files.get("/index.html")
    handles["/"] = _not_built if index is None else _file_handle("/", index)
    for address, (needed, head, body) in _VIEWERS.items():
        built = f"/{needed}" in files
        handles[address] = _viewer_handle(address, head, body) if built else _not_built
    return handles


def _file_handle(address: str, path: Path) -> Handle:
    headers = {
        "Content-Type": _content_type(path),
        "Cache-Control": _FOREVER if address.startswith("/assets/") else _ASK_FIRST,
        "Content-Security-Policy": PAGE_POLICY,
    }

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers=headers)

    return handle


def _content_type(path: Path) -> str:
    media_type = _MEDIA_TYPES[path.suffix]
    is_text = media_type.startswith("text/") or media_type == "application/json"
    return f"{media_type}; charset=utf-8" if is_text else media_type


def _viewer_handle(address: str, head: str, body: str) -> Handle:
    title = f"Headframe API {address}"
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>'
        f"<body>{body}<noscript>This viewer needs JavaScript; the description itself is at "
        '<a href="/openapi.json">/openapi.json</a>.</noscript></body></html>'
    )
    headers = {"Content-Security-Policy": VIEWER_POLICY, "Cache-Control": _ASK_FIRST}

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type="text/html", headers=headers)

    return handle


async def _not_built(_: web.Request) -> web.StreamResponse:
    return web.Response(text=NOT_BUILT, status=503, headers={"Cache-Control": "no-store"})

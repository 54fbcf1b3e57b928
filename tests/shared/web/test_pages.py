"""The page, its files and the API viewers; nothing from elsewhere."""

import asyncio
from pathlib import Path

import pytest

from shared.web.pages import static_files
from tests.support.web_world import web_world


@pytest.fixture
def built(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    for name, text in {
        "index.html": "<title>Headframe</title>",
        "assets/app-1a2b.js": "run()",
        "assets/style-1a2b.css": "a{}",
        "vendor/swagger-ui/swagger-ui-bundle.js": "ui()",
        "vendor/redoc/redoc.standalone.js": "redoc()",
        "secret.pem": "not for anybody",
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


async def test_the_page_and_its_files_are_served(built: Path) -> None:
    async with web_world(static_dir=built) as world:
        page = await world.get("/")
        script = await world.get("/assets/app-1a2b.js")
    assert (page.content, page.headers["Content-Type"]) == (
        b"<title>Headframe</title>",
        "text/html; charset=utf-8",
    )
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"


async def test_files_named_by_their_content_are_kept_and_the_page_is_not(built: Path) -> None:
    async with web_world(static_dir=built) as world:
        assert "immutable" in (await world.get("/assets/app-1a2b.js")).headers["Cache-Control"]
        assert (await world.get("/")).headers["Cache-Control"] == "no-cache"


async def test_a_page_that_has_not_changed_is_not_sent_again(built: Path) -> None:
    async with web_world(static_dir=built) as world:
        etag = (await world.get("/")).headers["ETag"]
        assert (await world.get("/", headers={"If-None-Match": etag})).status == 304


async def test_the_page_may_load_only_from_here(built: Path) -> None:
    async with web_world(static_dir=built) as world:
        policy = (await world.get("/")).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        viewer = (await world.get("/docs")).headers["Content-Security-Policy"]
        assert "script-src" not in viewer  # scripts follow default-src 'self', here too


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_viewers_use_only_files_of_this_server(built: Path, path: str) -> None:
    async with web_world(static_dir=built) as world:
        answer = await world.get(path)
    assert answer.status == 200
    assert b"//" not in answer.content  # no address of another host
    assert b"<script>" not in answer.content  # nothing inline


@pytest.mark.parametrize(
    "path",
    [
        "/secret.pem",
        "/../secret.pem",
        "/assets/../../secret.pem",
        "/%2e%2e/secret.pem",
        "/assets",
        "/assets/",
        "/vendor/",
        "/index.html/",
        "//etc/passwd",
        "/assets//app-1a2b.js",
        "/assets/..%2f..%2fsecret.pem",
    ],
)
async def test_nothing_else_is_served(built: Path, path: str) -> None:
    (built.parent / "secret.pem").write_text("not for anybody")
    async with web_world(static_dir=built) as world:
        # By hand: a client library would tidy the path up before it is sent.
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"not for anybody" not in answer


def test_a_link_out_of_the_folder_is_not_followed(built: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("not for anybody")
    (built / "link.txt").symlink_to(outside)
    assert "/link.txt" not in static_files(built)
    assert "/index.html" in static_files(built)


async def test_a_page_that_is_not_built_says_how_to(tmp_path: Path) -> None:
    async with web_world(static_dir=tmp_path) as world:
        for path in ("/", "/docs", "/redoc"):
            answer = await world.get(path)
            assert answer.status == 503
            assert b"npm ci" in answer.content

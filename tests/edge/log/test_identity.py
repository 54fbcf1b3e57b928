"""Who this installation is."""

import json
from pathlib import Path

import pytest

from edge.errors import LogError, LogForeignError, LogVersionError
from edge.log.identity import load_identity, new_identity, save_identity
from edge.log.layout import Layout

SITE, EDGE = "kaduna", "edge-1"


def test_comes_back_as_saved_and_is_128_random_bits(tmp_path: Path) -> None:
    identity = new_identity(SITE, EDGE)
    save_identity(Layout(tmp_path), identity)
    assert load_identity(Layout(tmp_path), SITE, EDGE) == identity
    assert len(bytes.fromhex(identity.install_uuid)) == 16
    assert new_identity(SITE, EDGE).install_uuid != identity.install_uuid
    assert [path.name for path in tmp_path.iterdir()] == ["identity.json"]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    save_identity(Layout(tmp_path), new_identity(SITE, EDGE))
    assert (tmp_path / "identity.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "install_uuid": "x"}', b"\xff"]
)
def test_what_cannot_be_read_is_no_identity(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "identity.json").write_bytes(content)
    assert load_identity(Layout(tmp_path), SITE, EDGE) is None


@pytest.mark.parametrize(("site", "edge_id"), [("other", EDGE), (SITE, "edge-2")])
def test_another_edges_directory_is_refused(tmp_path: Path, site: str, edge_id: str) -> None:
    save_identity(Layout(tmp_path), new_identity(SITE, EDGE))
    with pytest.raises(LogForeignError, match="edge-1"):
        load_identity(Layout(tmp_path), site, edge_id)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "identity.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(LogVersionError, match="format 2"):
        load_identity(Layout(tmp_path), SITE, EDGE)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "identity.json").mkdir()
    with pytest.raises(LogError, match=r"identity\.json"):
        load_identity(Layout(tmp_path), SITE, EDGE)

"""The edge's own key and central's public ones."""

import json
import stat
from pathlib import Path

import pytest

from edge.api.keys import CentralKeys, own_signing_key
from edge.errors import LocalStateError
from shared.access.accounts import Account
from shared.access.roles import Role
from shared.access.tokens import TokenIssuer, TokenVerifier, jwks_document
from shared.errors import AccessError
from tests.support.web_world import SIGNING_KEY, new_signing_key

NOW_S = 1_793_599_200
ACCOUNT = Account("u-1", "a@kaduna.example", "", (Role.ANALYST,), ("kaduna",))
CENTRAL = TokenIssuer(SIGNING_KEY, issuer="central", lifetime_s=900)


def test_an_edge_makes_its_own_key_once(tmp_path: Path) -> None:
    first = own_signing_key(None, tmp_path)
    assert own_signing_key(None, tmp_path).kid == first.kid
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_half_written_before_a_power_cut_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "signing_key.new").write_text("-----BEGIN PRIV")
    assert own_signing_key(None, tmp_path).kid


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalStateError, match="cannot be written"):
        own_signing_key(None, tmp_path / "missing")


def edge_verifier(file: Path | None) -> tuple[TokenVerifier, CentralKeys, TokenIssuer]:
    own = TokenIssuer(new_signing_key(), issuer="edge", lifetime_s=900)
    verifier = TokenVerifier([own.verification_key])
    return verifier, CentralKeys(file, own.verification_key, verifier), own


def accepts(verifier: TokenVerifier, issuer: TokenIssuer) -> bool:
    try:
        verifier.verify(issuer.issue(ACCOUNT, NOW_S).token, NOW_S)
    except AccessError:
        return False
    return True


def publish(file: Path, *issuers: TokenIssuer) -> None:
    file.write_text(json.dumps(jwks_document([each.verification_key for each in issuers])))


def test_tokens_of_central_are_accepted_without_asking_central(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    verifier, keys, own = edge_verifier(file)
    assert not accepts(verifier, CENTRAL)
    publish(file, CENTRAL)
    keys.refresh()
    assert accepts(verifier, CENTRAL)
    assert accepts(verifier, own)


def test_a_new_key_of_central_replaces_the_old(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    verifier, keys, _ = edge_verifier(file)
    publish(file, CENTRAL)
    keys.refresh()
    successor = TokenIssuer(new_signing_key(), issuer="central", lifetime_s=900)
    publish(file, CENTRAL, successor)
    keys.refresh()
    assert (accepts(verifier, CENTRAL), accepts(verifier, successor)) == (True, True)
    publish(file, successor)
    keys.refresh()
    assert (accepts(verifier, CENTRAL), accepts(verifier, successor)) == (False, True)


@pytest.mark.parametrize("text", ["", "{", '{"keys": 7}'])
def test_a_broken_key_file_leaves_the_known_ones(tmp_path: Path, text: str) -> None:
    file = tmp_path / "jwks.json"
    verifier, keys, _ = edge_verifier(file)
    publish(file, CENTRAL)
    keys.refresh()
    file.write_text(text)
    keys.refresh()
    assert accepts(verifier, CENTRAL)


def test_without_a_file_only_the_edges_own_tokens_count() -> None:
    verifier, keys, own = edge_verifier(None)
    keys.refresh()
    assert (accepts(verifier, own), accepts(verifier, CENTRAL)) == (True, False)

"""The demo's keys and certificates."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from deploy.site.certificates import (
    LEAF_DAYS,
    RENEW_BEFORE_DAYS,
    SiteCertificates,
    ensure_certificates,
)
from shared.access.tokens import load_jwks, load_signing_key

NOW_MS = 1_795_000_000_000  # November 2026
DAY_MS = 86_400_000
NODE = "kaduna/edge-1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SiteCertificates:
    files = SiteCertificates(tmp_path_factory.mktemp("certificates"))
    ensure_certificates(files, node=NODE, hosts=("10.1.2.3",), now_ms=NOW_MS)
    return files


def loaded(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_nobody_else_may_read_them(made: SiteCertificates) -> None:
    assert {file.stat().st_mode & 0o777 for file in made.folder.iterdir()} == {0o600}


def test_the_edge_is_named_by_site_and_node(made: SiteCertificates) -> None:
    names = loaded(made.edge).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert [name.value for name in names] == [NODE]


def test_central_is_named_by_every_address_it_is_dialled_at(made: SiteCertificates) -> None:
    names = loaded(made.central).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    addresses = names.value.get_values_for_type(x509.IPAddress)
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in addresses] == ["127.0.0.1", "::1", "10.1.2.3"]


def test_both_ends_trust_each_other_and_nobody_else(made: SiteCertificates) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.central, made.central_key)
    server.load_verify_locations(made.authority)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(made.authority))
    client.load_cert_chain(made.edge, made.edge_key)
    assert shaken_hands(client, server, "127.0.0.1") == NODE
    stranger = ssl.create_default_context(cafile=str(made.authority))
    with pytest.raises(ssl.SSLError):
        shaken_hands(stranger, server, "127.0.0.1")


def shaken_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str:
    """Return the client's common name as the server sees it; all in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (calling, answering, calling, answering, calling):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = answering.getpeercert(binary_form=True)
    assert shown
    return x509.load_der_x509_certificate(shown).subject.rfc4514_string().removeprefix("CN=")


def test_the_edge_verifies_what_central_signs(made: SiteCertificates) -> None:
    kid = load_signing_key(made.central_signing_key).kid
    assert [key.kid for key in load_jwks(made.jwks)] == [kid]


def test_a_later_start_keeps_them(made: SiteCertificates) -> None:
    before = made.central.read_bytes() + made.edge.read_bytes()
    ensure_certificates(made, node=NODE, hosts=("10.1.2.3",), now_ms=NOW_MS + DAY_MS)
    assert made.central.read_bytes() + made.edge.read_bytes() == before


def test_they_are_renewed_before_they_expire(tmp_path: Path) -> None:
    files = SiteCertificates(tmp_path)
    ensure_certificates(files, node=NODE, hosts=(), now_ms=NOW_MS)
    authority, leaf = files.authority.read_bytes(), loaded(files.edge).serial_number
    late_ms = NOW_MS + (LEAF_DAYS - RENEW_BEFORE_DAYS) * DAY_MS
    ensure_certificates(files, node=NODE, hosts=(), now_ms=late_ms)
    assert loaded(files.edge).serial_number != leaf
    assert files.authority.read_bytes() == authority


def test_another_host_or_node_gets_new_ones(tmp_path: Path) -> None:
    files = SiteCertificates(tmp_path)
    ensure_certificates(files, node=NODE, hosts=(), now_ms=NOW_MS)
    central, edge = loaded(files.central).serial_number, loaded(files.edge).serial_number
    ensure_certificates(files, node="kaduna/edge-2", hosts=("mine.example",), now_ms=NOW_MS)
    assert loaded(files.central).serial_number != central
    assert loaded(files.edge).serial_number != edge


def test_a_lost_key_is_replaced_with_its_certificate(tmp_path: Path) -> None:
    files = SiteCertificates(tmp_path)
    ensure_certificates(files, node=NODE, hosts=(), now_ms=NOW_MS)
    files.authority_key.unlink()
    ensure_certificates(files, node=NODE, hosts=(), now_ms=NOW_MS)
    loaded(files.edge).verify_directly_issued_by(loaded(files.authority))
    loaded(files.central).verify_directly_issued_by(loaded(files.authority))

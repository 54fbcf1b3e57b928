"""Keys and certificates of a demo site: its authority, both ends of the sync session, tokens.

Everything is made by `up` and lies in the state directory, readable by its owner only. A real
site enrols its nodes instead.
"""

import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.site.private_files import write_private
from shared.access.tokens import VerificationKey, jwks_document, load_signing_key

AUTHORITY_DAYS = 3650
LEAF_DAYS = 397  # what browsers accept at most
RENEW_BEFORE_DAYS = 130  # a third of a leaf's life; `up` looks at every start
SIGNING_KEY_BITS = 3072
_BACKDATED = timedelta(hours=1)  # a node whose clock is a little behind accepts it too

_PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class SiteCertificates:
    """Where the files are, below ``folder``."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The demo authority's certificate."""
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """The demo authority's key."""
        return self.folder / "ca-key.pem"

    @property
    def central(self) -> Path:
        """Certificate of central's sync listener."""
        return self.folder / "central.pem"

    @property
    def central_key(self) -> Path:
        """Key of central's sync listener."""
        return self.folder / "central-key.pem"

    @property
    def edge(self) -> Path:
        """The edge's client certificate."""
        return self.folder / "edge.pem"

    @property
    def edge_key(self) -> Path:
        """Key of the edge's client certificate."""
        return self.folder / "edge-key.pem"

    @property
    def central_signing_key(self) -> Path:
        """RSA key of the tokens that central issues."""
        return self.folder / "central-tokens.pem"

    @property
    def edge_signing_key(self) -> Path:
        """RSA key of the tokens that the edge issues."""
        return self.folder / "edge-tokens.pem"

    @property
    def jwks(self) -> Path:
        """Central's public token key, for the edge."""
        return self.folder / "jwks.json"


def ensure_certificates(
    files: SiteCertificates, *, node: str, hosts: Sequence[str], now_ms: int
) -> None:
    """Make what is missing, expires soon, or is for other names.

    ``node`` is ``{site}/{edge_id}``, the edge's common name; ``hosts`` are the names and addresses
    under which central is dialled.
    """
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    if not _usable(files.authority, files.authority_key, now, names=None):
        _make_authority(files, now)
        files.central.unlink(missing_ok=True)
        files.edge.unlink(missing_ok=True)
    names = ("localhost", "127.0.0.1", "::1", *hosts)
    if not _usable(files.central, files.central_key, now, names=names):
        _make_leaf(files, files.central, files.central_key, "headframe-central", names, now)
    if not _usable(files.edge, files.edge_key, now, names=()) or _common_name(files.edge) != node:
        _make_leaf(files, files.edge, files.edge_key, node, (), now)
    for key in (files.central_signing_key, files.edge_signing_key):
        if not key.exists():
            _write_key(key, rsa.generate_private_key(65537, SIGNING_KEY_BITS))
    write_private(files.jwks, _jwks_text(files.central_signing_key))


def _make_authority(files: SiteCertificates, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Headframe demo authority")
    builder = _builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    _write_key(files.authority_key, key)
    _write_certificate(files.authority, builder.sign(key, hashes.SHA256()))


def _make_leaf(
    files: SiteCertificates,
    target: Path,
    key_target: Path,
    common_name: str,
    names: Sequence[str],
    now: datetime,
) -> None:
    issuer = x509.load_pem_x509_certificate(files.authority.read_bytes())
    issuer_key = serialization.load_pem_private_key(files.authority_key.read_bytes(), None)
    assert isinstance(issuer_key, _PrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = _builder(_name(common_name), issuer.subject, key.public_key(), now, LEAF_DAYS)
    builder = builder.add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True
    )
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(authority, critical=False)
    if names:
        alternative = x509.SubjectAlternativeName([_alternative(name) for name in _unique(names)])
        builder = builder.add_extension(alternative, critical=False)
    _write_key(key_target, key)
    _write_certificate(target, builder.sign(issuer_key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _usable(certificate: Path, key: Path, now: datetime, names: Sequence[str] | None) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        kept = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError):
        return False
    if found.public_key() != kept.public_key():
        return False  # an interrupted renewal
    lasting = found.not_valid_after_utc - now > timedelta(days=RENEW_BEFORE_DAYS)
    return lasting and found.not_valid_before_utc <= now and _covers(found, names or ())


def _covers(certificate: x509.Certificate, names: Sequence[str]) -> bool:
    if not names:
        return True
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    return {_alternative(name) for name in names} <= set(extension.value)


def _common_name(certificate: Path) -> str:
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _write_key(target: Path, key: _PrivateKey | rsa.RSAPrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(target, pem)


def _write_certificate(target: Path, certificate: x509.Certificate) -> None:
    write_private(target, certificate.public_bytes(serialization.Encoding.PEM))


def _jwks_text(signing_key: Path) -> str:
    key = load_signing_key(signing_key)
    return json.dumps(jwks_document([VerificationKey(key.kid or key.thumbprint(), key)])) + "\n"

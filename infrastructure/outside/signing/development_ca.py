"""A certificate authority of one's own, for development: nobody else trusts it."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=825)
_PEM = serialization.Encoding.PEM

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class DevelopmentCa:
    """In a folder: the authority's certificate, its list of what it has revoked (nothing), and the keys and
    certificates of the signer, which is valid for `signer_valid`, and of an authority for times. The authority's own
    key is not kept, so nothing else can be signed by it."""

    def __init__(self, folder: Path, signer_valid: timedelta = _VALID) -> None:
        self._signer_valid = signer_valid
        self.authority = folder / "ca.pem"
        self.signing_key = folder / "signing-key.pem"
        self.signing_certificates = folder / "signing-certificates.pem"
        self.time_key = folder / "time-key.pem"
        self.time_certificate = folder / "time-certificate.pem"
        self.revocations = folder / "revoked.pem"

    @property
    def exists(self) -> bool:
        return self.authority.exists()

    def make(self) -> None:
        """Makes all of it, unless it is there. The certificate of the authority comes last: where it is, all is."""
        if self.exists:
            return
        self.authority.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        root, name = ec.generate_private_key(ec.SECP256R1()), _name("Eventfold development authority")
        authority = _certificate(name, root, name, root, is_authority=True)
        signing, time = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 3072)
        signer = _certificate(_name("Eventfold development signer"), signing, name, root, valid=self._signer_valid)
        _write(self.signing_key, _private(signing), 0o600)
        _write(self.signing_certificates, _public(signer) + _public(authority), 0o644)
        stamping = [ExtendedKeyUsageOID.TIME_STAMPING]
        _write(self.time_key, _private(time), 0o600)
        own = _certificate(_name("Eventfold development time"), time, name, root, purposes=stamping)
        _write(self.time_certificate, _public(own), 0o644)
        _write(self.revocations, _nothing_revoked(name, root), 0o644)
        _write(self.authority, _public(authority), 0o644)


def _certificate(
    subject: x509.Name,
    key: Key,
    issuer: x509.Name,
    issuer_key: Key,
    *,
    is_authority: bool = False,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    valid: timedelta = _VALID,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=not is_authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + valid)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())


def _nothing_revoked(issuer: x509.Name, key: Key) -> bytes:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(now - timedelta(minutes=5))
        .next_update(now + _VALID)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(_PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _private(key: Key) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(_PEM)


def _write(path: Path, content: bytes, mode: int) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    unfinished.replace(path)

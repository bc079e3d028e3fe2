"""The provider's own certificate authority, and the signatures that it makes upon documents (PAdES, by pyHanko)."""

import os
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FIELD = "Customer"

_PEM = serialization.Encoding.PEM
_VALID = timedelta(days=825)


class NotADocument(Exception):
    """What is to be signed is no PDF that can be signed."""


class Authority:
    """In the file `ca.pem` of the folder is the certificate that others have to trust; the key stays beside it. Both
    are made at the first time. With the folder None, it is one that nobody trusts, and nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        key_file = None if folder is None else folder / "ca-key.pem"
        if key_file is not None and key_file.exists():
            loaded = serialization.load_pem_private_key(key_file.read_bytes(), None)
            assert isinstance(loaded, ec.EllipticCurvePrivateKey)
            self._key = loaded
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            if key_file is not None:
                _write(key_file, _private(self._key))
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sandbox signing authority")])
        public = None if folder is None else folder / "ca.pem"
        if public is not None and public.exists():
            self._certificate = x509.load_pem_x509_certificate(public.read_bytes())
        else:
            self._certificate = self._issued(self._name, self._key, is_authority=True)
            if public is not None:
                _write(public, self._certificate.public_bytes(_PEM))

    async def sign(self, document: bytes, signer: str) -> bytes:
        """The document with the signature of somebody of this name behind it, under a key made for it alone. Raises
        NotADocument."""
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.pdf_utils.misc import PdfError
        from pyhanko.sign import fields, signers

        metadata = signers.PdfSignatureMetadata(
            field_name=FIELD, name=signer, subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256"
        )
        try:
            made = await signers.PdfSigner(metadata, self._signer(signer)).async_sign_pdf(
                IncrementalPdfFileWriter(BytesIO(document))
            )
        except (PdfError, ValueError) as error:
            raise NotADocument(str(error)) from error
        return bytes(made.getvalue())

    def _signer(self, name: str) -> Any:
        from asn1crypto import keys
        from asn1crypto import x509 as asn1_x509
        from pyhanko.sign import signers
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        der = serialization.Encoding.DER
        private = key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        chain = SimpleCertificateStore()
        chain.register(asn1_x509.Certificate.load(self._certificate.public_bytes(der)))
        own = asn1_x509.Certificate.load(self._issued(subject, key, is_authority=False).public_bytes(der))
        return signers.SimpleSigner(own, keys.PrivateKeyInfo.load(private), chain)

    def _issued(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> x509.Certificate:
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
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + _VALID)
            .add_extension(x509.BasicConstraints(is_authority, 0 if is_authority else None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    unfinished.replace(path)

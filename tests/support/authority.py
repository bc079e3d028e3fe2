"""A certificate authority of the test's own, and certificates of any name, any address and any age."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """Its certificate is the file `ca`."""

    def __init__(self, folder: Path, name: str = "authority of the tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(self._name, self._key.public_key(), [], datetime.now(UTC), timedelta(days=1), True)
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(certificate.public_bytes(_PEM))

    def issue(self, folder: Path, *names: str, expired: bool = False) -> None:
        """A certificate and its key as `tls.crt` and `tls.key` in the folder, each put in place at once; `names` are
        URIs, addresses or names of hosts."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        begins = datetime.now(UTC) - timedelta(days=2 if expired else 0)
        certificate = self._signed(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]),
            key.public_key(),
            [_general(one) for one in names],
            begins,
            timedelta(days=1),
            False,
        )
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for name, content in (("tls.key", private), ("tls.crt", certificate.public_bytes(_PEM))):
            unfinished = folder / f".{name}"
            unfinished.write_bytes(content)
            unfinished.replace(folder / name)

    def _signed(
        self,
        name: x509.Name,
        public: ec.EllipticCurvePublicKey,
        names: list[x509.GeneralName],
        begins: datetime,
        lasts: timedelta,
        is_authority: bool,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins - timedelta(minutes=5))
            .not_valid_after(begins + lasts)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)

"""Makes an authority and a certificate for each node of an EventStoreDB cluster, for development.

    python certificates.py FOLDER NODE...

FOLDER/ca/ca.crt is what is trusted; FOLDER/NODE/node.crt and node.key are a node's own. What is there stays as it is.
They are valid for ten years, and everybody who can read the folder can read the keys: the nodes run as another user.
"""

import datetime
import ipaddress
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# EventStoreDB takes another for a node of its cluster by this name.
NODE_NAME = "eventstoredb-node"
YEARS = datetime.timedelta(days=3650)


def main(folder: Path, nodes: list[str]) -> None:
    """Makes what is missing."""
    authority = folder / "ca"
    if not (authority / "ca.crt").exists():
        key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Eventfold's cluster, for development")])
        write(authority / "ca.key", private(key))
        write(authority / "ca.crt", certificate(name, name, key, key, authority_itself=True).public_bytes(PEM))
    ca = x509.load_pem_x509_certificate((authority / "ca.crt").read_bytes())
    ca_key = serialization.load_pem_private_key((authority / "ca.key").read_bytes(), None)
    assert isinstance(ca_key, rsa.RSAPrivateKey)
    for node in nodes:
        if not (folder / node / "node.crt").exists():
            key = new_key()
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NODE_NAME)])
            write(folder / node / "node.key", private(key))
            made = certificate(name, ca.subject, key, ca_key, host=node)
            write(folder / node / "node.crt", made.public_bytes(PEM))


PEM = serialization.Encoding.PEM


def new_key() -> rsa.RSAPrivateKey:
    """A key of an authority or a node."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    signed_with: rsa.RSAPrivateKey,
    *,
    host: str = "",
    authority_itself: bool = False,
) -> x509.Certificate:
    """The authority's own, or that of the node that is reached at `host`, from its own machine at localhost too."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + YEARS)
        .add_extension(x509.BasicConstraints(ca=authority_itself, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_with.public_key()), critical=False)
        .add_extension(usage(authority_itself), critical=True)
    )
    if not authority_itself:
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = [x509.DNSName(host), x509.DNSName("localhost"), loopback]
        both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
    return builder.sign(signed_with, hashes.SHA256())


def usage(authority_itself: bool) -> x509.KeyUsage:
    """What a key is for: signing certificates, or TLS."""
    return x509.KeyUsage(
        digital_signature=not authority_itself,
        key_encipherment=not authority_itself,
        key_cert_sign=authority_itself,
        crl_sign=authority_itself,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def private(key: rsa.RSAPrivateKey) -> bytes:
    """As EventStoreDB reads it."""
    return key.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def write(path: Path, content: bytes) -> None:
    """Writes a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    half = path.with_suffix(".half")
    half.write_bytes(content)
    half.chmod(0o644)
    half.rename(path)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {Path(sys.argv[0]).name} FOLDER NODE...")
    main(Path(sys.argv[1]), sys.argv[2:])

"""TLS credentials of the gRPC server, from PEM files that are checked first: gRPC's own errors say little."""

import ssl
from contextlib import suppress
from pathlib import Path

import grpc

from embedded.event_store_node.security.security import SecurityError, TlsFiles


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """
    Credentials for a port.

    Raises:
        SecurityError: a file cannot be read, is no PEM file, or key and certificate do not belong together.
    """
    certificate, key = _read(files.certificate), _read(files.key)
    client_ca = _read(files.client_ca) if files.client_ca else None
    _check(files)
    return grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=client_ca, require_client_auth=client_ca is not None
    )


def is_certificate_for(host: str, files: TlsFiles) -> bool:
    """Whether a client that connects to `host` finds this name in the certificate: tried out in memory."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(files.certificate)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # who issued it is not the question
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_end = client.wrap_bio(to_client, to_server, server_hostname=host)
    server_end = server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for end in (client_end, server_end):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
        client_end.do_handshake()
    except ssl.SSLError:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SecurityError(f"{path} cannot be read: {error.strerror}") from error


def _check(files: TlsFiles) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise SecurityError(
            f"the certificate {files.certificate} and the key {files.key} cannot be used: {_reason(error)}"
        ) from error
    if files.client_ca:
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise SecurityError(f"{files.client_ca} holds no certificates: {_reason(error)}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one that is not")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error).replace("_", " ").lower()

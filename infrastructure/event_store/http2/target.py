"""Where and how to connect: the node that esdbclient has found and its options, for a plain connection."""

import os
import ssl
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from infrastructure.event_store.http2.keep_alive import KeepAliveTimes

_PATH = "/event_store.client.streams.Streams/Read"

# gRPC core reads these, in lower case only; the first that is set is used.
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_NO_PROXY = ("no_grpc_proxy", "no_proxy")
# Read instead of gRPC's own root certificates, where the connection string names none.
_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


class Unsupported(Exception):
    """gRPC would connect in a way that this reader can't; the message says how."""


class Target(Struct, frozen=True):
    """A node and the call to make there.

    `roots` are PEM; without them those of `roots_file` are used, then the system's. `key_files` are the user's
    certificate and key.
    """

    host: str
    port: int
    headers: tuple[tuple[str, str], ...]
    keep_alive: KeepAliveTimes
    is_secure: bool
    verifies: bool = True
    roots: bytes | None = None
    roots_file: str | None = None
    key_files: tuple[str, str] | None = None

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        return dict(self.headers)[":authority"]

    def tls(self) -> ssl.SSLContext | None:
        """A TLS context for one connection; None where there is none.

        Raises OSError or ValueError when a file can't be used.
        """
        if not self.is_secure:
            return None
        # Not ssl.create_default_context: an empty file would mean the system's roots there, and from Python 3.13 on
        # certificates without certain extensions are refused, which gRPC takes.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.roots is not None:
            context.load_verify_locations(cadata=self.roots.decode("ascii", "ignore"))
        elif self.roots_file is not None:
            context.load_verify_locations(self.roots_file)
        else:
            context.load_default_certs()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.key_files is not None:
            # Without a password for it, OpenSSL would ask at the terminal.
            context.load_cert_chain(*self.key_files, password=lambda: b"")
        return context


def target_of(client: Any, metadata: Sequence[tuple[str, str]], keep_alive: KeepAliveTimes) -> Target:
    """The node that a connected esdbclient has found, and a Read call there with this metadata.

    Raises Unsupported when only gRPC can connect to it.
    """
    spec = client.connection_spec
    options = spec.options
    address = client.connection_target
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or "/" in address or host in ("dns", "unix", "ipv4", "ipv6", "xds"):
        raise Unsupported(f"the address {address}")
    _refuse_proxy(host)
    return Target(
        host=host,
        port=int(port),
        headers=_headers(spec, address, metadata),
        keep_alive=keep_alive,
        is_secure=options.Tls,
        verifies=options.TlsVerifyCert,
        roots=client.root_certificates,
        roots_file=os.environ.get(_ROOTS) or None,
        key_files=(options.UserCertFile, options.UserKeyFile) if options.UserCertFile and options.UserKeyFile else None,
    )


def _headers(spec: Any, address: str, metadata: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    headers = [
        (":method", "POST"),
        (":scheme", "https" if spec.options.Tls else "http"),
        (":path", _PATH),
        (":authority", address),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "eventfold"),
        ("grpc-accept-encoding", "identity"),
        *metadata,
    ]
    # As esdbclient does: only over TLS.
    if spec.options.Tls and spec.username and spec.password:
        credentials = b64encode(f"{spec.username}:{spec.password}".encode()).decode()
        headers.append(("authorization", f"Basic {credentials}"))
    return tuple(headers)


def _refuse_proxy(host: str) -> None:
    proxy = next((os.environ[name] for name in _PROXIES if os.environ.get(name)), None)
    if proxy is None:
        return
    but = next((os.environ[name] for name in _NO_PROXY if os.environ.get(name)), "")
    exempt = (name.strip().lstrip(".") for name in but.split(","))
    if not any(name and (host == name or host.endswith("." + name)) for name in exempt):
        raise Unsupported("a proxy")

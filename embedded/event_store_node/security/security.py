"""How a node is secured; by default not at all, as a server that was started with `--insecure`."""

from dataclasses import dataclass
from pathlib import Path


class SecurityError(Exception):
    """The node cannot be secured as told; the message says why and is meant for the operator."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the node's certificate chain and key; with `client_ca`, clients need a certificate of that CA."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Security:
    """Without `tls`, traffic is in the clear; without a `users` file, everybody is an administrator."""

    tls: TlsFiles | None = None
    users: Path | None = None


INSECURE = Security()

"""Where the node listens, and by which name clients are told to find it."""

import errno
import socket

import grpc
import grpc.aio

from embedded.event_store_node.security.security import TlsFiles
from embedded.event_store_node.security.tls import is_certificate_for, server_credentials

LOCALHOST = "localhost"

_OTHER_LOOPBACK = {"127.0.0.1": "::1", "::1": "127.0.0.1"}
_NOT_THERE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class PortTakenError(Exception):
    """The address cannot be listened on; the message says why."""


class Listener:
    """
    Makes a server listen on `host:port` (0 picks a free port); once it does, `port` tells which. On one of the two
    usual loopback addresses it listens on the other as well, if that exists and is free: clients may take
    `localhost` for either.
    """

    def __init__(self, host: str, port: int, tls: TlsFiles | None) -> None:
        self._host = "127.0.0.1" if host == LOCALHOST else host.strip("[]")
        self.port = port
        self._tls = tls
        self._credentials = server_credentials(tls) if tls else None
        self._is_localhost = False

    def refuse_taken(self) -> None:
        """
        Tell a taken port apart before gRPC reports it in its own words.

        Raises:
            PortTakenError: the address cannot be listened on.
        """
        error = _obstacle(self._host, self.port)
        if error is not None:
            reason = "the port is taken" if error.errno == errno.EADDRINUSE else error.strerror
            raise PortTakenError(f"{self._host}:{self.port} cannot be listened on: {reason}") from error

    def add_to(self, server: grpc.aio.Server) -> None:
        """
        Raises:
            PortTakenError: the address cannot be listened on.
        """
        try:
            self.port = self._add(server, self._host)
        except RuntimeError as error:
            raise PortTakenError(f"{self._host}:{self.port} cannot be listened on: {error}") from error
        other = _OTHER_LOOPBACK.get(self._host)
        if other is not None:
            self._is_localhost = self._add_other(server, other)

    def advertised_host(self) -> str:
        """
        `localhost` where the node is all that clients can find under this name, and may show its certificate
        there; otherwise the address listened on. A wildcard is no address to connect to.
        """
        if self._is_localhost and (self._tls is None or is_certificate_for(LOCALHOST, self._tls)):
            return LOCALHOST
        return "127.0.0.1" if self._host in ("", "0.0.0.0", "::") else self._host  # noqa: S104

    def _add(self, server: grpc.aio.Server, host: str) -> int:
        address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        if self._credentials is not None:
            return server.add_secure_port(address, self._credentials)
        return server.add_insecure_port(address)

    def _add_other(self, server: grpc.aio.Server, other: str) -> bool:
        """Listen on the other loopback address, too; False if somebody else does."""
        obstacle = _obstacle(other, self.port)
        if obstacle is not None:
            return obstacle.errno in _NOT_THERE
        try:
            self._add(server, other)
        except RuntimeError:  # taken in between
            return False
        return True


def _obstacle(host: str, port: int) -> OSError | None:
    """What stands in the way of listening on an address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error
    return None

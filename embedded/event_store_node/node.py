"""The node: the log, the services and the gRPC server, started and stopped together."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio

from embedded.event_store_node.limits import DEFAULT_LIMITS, ConnectionLimits, server_options
from embedded.event_store_node.listening import Listener, PortTakenError
from embedded.event_store_node.log.directory_lock import DataDirectoryError
from embedded.event_store_node.log.open_log import OpenLog
from embedded.event_store_node.persistent.subsystem import PersistentSubscriptions
from embedded.event_store_node.security.authentication import Authenticator
from embedded.event_store_node.security.guard import Guard
from embedded.event_store_node.security.security import INSECURE, Security
from embedded.event_store_node.security.stream_access import StreamAccess
from embedded.event_store_node.services.gossip_service import GossipService
from embedded.event_store_node.services.reporting import is_no_departure
from embedded.event_store_node.services.services import Services

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 1.0


class EventStoreNode:
    """
    An event store on `host:port`, keeping its log in `data_dir`; without one, in a temporary directory that
    is removed at the end. Port 0 picks a free port. Clients that ask are told to find it at `advertise_host`. Once
    started, `port`, `data_dir` and `advertised_host` tell what was picked.
    The system projections run as far as clients have enabled them; with `start_standard_projections`, all do;
    without `run_projections`, none, and there is no service to enable them.

    A client may ask the node to shut down: `shutdown_requested` is set then, and who started it is to stop it.

    Raises, when it starts:
        DataDirectoryError: the data directory is in use, foreign or damaged.
        PortTakenError: the address cannot be listened on.
        SecurityError: the certificate or the users file cannot be used.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        run_projections: bool = True,
        start_standard_projections: bool = False,
        security: Security = INSECURE,
        advertise_host: str | None = None,
        limits: ConnectionLimits = DEFAULT_LIMITS,
    ) -> None:
        self.data_dir = None if data_dir is None else Path(data_dir)
        self.host = host
        self.port = port
        self.advertised_host = advertise_host or ""
        self._run_projections = run_projections
        self._start_standard_projections = start_standard_projections
        self.shutdown_requested = asyncio.Event()
        self._security = security
        self._limits = limits

    @property
    def uri(self) -> str:
        """How an esdbclient connects to this node; with TLS it wants `user:password@` before the host, too."""
        return f"esdb://{self.host}:{self.port}?Tls={'true' if self._security.tls else 'false'}"

    @property
    def last_position(self) -> int:
        """The commit position of the newest event; 0 on an empty log."""
        return self._log.broker.last_position

    @property
    def accepts_writes(self) -> bool:
        """False once the log was found damaged."""
        return self._services.gossip.is_alive

    @property
    def persistent_subscriptions(self) -> PersistentSubscriptions:
        return self._services.persistent_subscriptions

    async def start(self) -> None:
        logging.getLogger("grpc._cython.cygrpc").addFilter(is_no_departure)
        listener = Listener(self.host, self.port, self._security.tls)
        self._authenticator = Authenticator(self._security.users) if self._security.users else None
        listener.refuse_taken()
        self._log = OpenLog(self.data_dir)
        self.data_dir = self._log.directory
        self._server = grpc.aio.server(interceptors=self._guards(), options=server_options(self._limits))
        try:
            listener.add_to(self._server)
        except PortTakenError:
            await self._log.close()
            raise
        self.port = listener.port
        self.advertised_host = self.advertised_host or listener.advertised_host()
        try:
            await self._start_services()
            self._log.check(self._refuse_writes)
        except sqlite3.Error as error:
            await self._log.close()
            raise DataDirectoryError(f"{self.data_dir} cannot be read: {error}") from error
        await self._server.start()

    def _guards(self) -> list[Guard]:
        if self._authenticator is None:
            return []
        return [Guard(self._authenticator, StreamAccess(self._log.reader, self._log.broker))]

    async def _start_services(self) -> None:
        self._services = Services(
            self._log,
            GossipService(self.advertised_host, self.port),
            f"{self.host}:{self.port}",
            self.shutdown_requested.set,
            self._start_standard_projections,
        )
        await self._services.start(self._server, self._run_projections)

    def _refuse_writes(self, damage: str) -> None:
        """What can be read is still served, so that it can be saved; nothing is built on a damaged log."""
        logger.critical(
            "The event log in %s is damaged: %s. No more writes are accepted: stop this node, look with `verify`, and"
            " restore a backup.",
            self.data_dir,
            damage,
        )
        self._services.gossip.is_alive = False
        self._log.writer.refuse(f"the event log is damaged: {damage}")

    async def stop(self) -> None:
        """Answer the writes in hand, tell the subscribers, and close."""
        self._log.broker.close()
        await self._services.end_calls()
        await self._server.stop(_GRACE_SECONDS)
        await self._log.end_check()
        await self._services.close()
        if self._authenticator:
            self._authenticator.close()
        await self._log.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

"""The gRPC connection, made and discovered by esdbclient; we call the generated stub on its channel.

The client's own methods cost a gRPC call for every append and build several Python objects for every event read; the
stub lets us share one long-lived append call and read with half the work (docs/decisions/0002). esdbclient still
does what it is good at: connection strings, TLS, credentials and discovery of the leader.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import structlog
from esdbclient import AsyncEventStoreDBClient
from esdbclient.exceptions import DiscoveryFailed, EventStoreDBClientException
from esdbclient.protos.Grpc import streams_pb2_grpc

from infrastructure.event_store.errors import (
    AppendRefused,
    EventStoreUnavailable,
    InvalidPosition,
    StreamDeleted,
)
from infrastructure.event_store.http2 import KeepAliveTimes, ReadCall, Target, Unsupported, target_of
from infrastructure.event_store.keep_alive_times import channel_options, keep_alive_times
from infrastructure.event_store.reader_choice import Reader, ReaderChoice

log = structlog.get_logger(__name__)

# A node that comes back should be noticed within a second; gRPC's own defaults wait for up to two minutes.
_RECONNECT_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long an attempt to connect may take: a busy node needs more than a moment for the handshake.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
# What is dropped must be gone: gRPC would hand a new channel the old connection as long as another channel has it.
_OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)

# What EventStoreDB's documentation of connection strings gives as the default for both.
KEEP_ALIVE = KeepAliveTimes(10.0, 10.0)

# For calls under way to a node that is not the leader any more, in seconds.
_GRACE = 5.0

_TRANSIENT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class Connection:
    """One connection, shared by every call of a process except those of the HTTP/2 reader.

    `calls` are those, each on a connection of its own; they end when this one does. With `several_nodes` a node that is
    away may not be the one to wait for. `keep_alive` is for a connection
    string that says nothing of it.
    """

    def __init__(self, uri: str, reader: Reader = "auto", keep_alive: KeepAliveTimes = KEEP_ALIVE) -> None:
        self.calls: set[ReadCall] = set()
        self._reader = ReaderChoice(reader)
        self._client = AsyncEventStoreDBClient(uri=uri)
        self._keep_alive = keep_alive_times(self._client.connection_spec.options, keep_alive)
        kept = tuple(one for one in self._client.grpc_options if "keepalive" not in one[0])
        self._client.grpc_options = (
            *kept,
            *_RECONNECT_OPTIONS,
            *_OWN_CONNECTION,
            *channel_options(self._keep_alive),
        )
        self._stub: Any = None
        self._connecting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.several_nodes = uri.startswith("esdb+discover://") or len(self._client.connection_spec.targets) > 1

    async def stub(self) -> Any:
        """The Streams stub; connects first if needed. Raises EventStoreUnavailable when no leader can be found."""
        while self._stub is None:
            if self._connecting is None:
                self._connecting = asyncio.create_task(self._connect())
                self._connecting.add_done_callback(self._connected)
            # Shielded, because others wait for the same connection.
            await asyncio.shield(self._connecting)
        return self._stub

    async def _connect(self) -> None:
        try:
            await self._client.connect()
        except (DiscoveryFailed, EventStoreDBClientException) as error:
            raise EventStoreUnavailable(f"no event store node can be found: {error}") from error
        self._stub = streams_pb2_grpc.StreamsStub(self._client._connection._grpc_channel)  # type: ignore[no-untyped-call]

    def _connected(self, connecting: "asyncio.Task[None]") -> None:
        self._connecting = None
        if not connecting.cancelled():
            connecting.exception()  # told to those who wait for it; there need not be any

    async def read_target(self) -> Target | None:
        """Where the HTTP/2 reader is to connect, once there is a stub; None when grpcio is to read."""
        options = self.call_options()
        if await self._reader.is_http2(self._client._connection._grpc_channel, options):
            try:
                return target_of(self._client, options["metadata"], self._keep_alive)
            except Unsupported as error:
                self.read_by_grpc(str(error))
        return None

    def read_by_grpc(self, because: str) -> None:
        """Lets grpcio read from now on, whatever was chosen before."""
        self._reader.use_grpc(because)

    @property
    def prefers_leader(self) -> bool:
        """Whether every call is answered by the leader, whose log is never behind."""
        return bool(self._client.connection_spec.options.NodePreference == "leader")

    def call_options(self, *, requires_leader: bool = False) -> dict[str, Any]:
        """Headers and credentials, as the client itself would send them."""
        headers: Sequence[tuple[str, str]] = (
            *self._client._call_metadata,
            ("requires-leader", "true" if requires_leader or self.prefers_leader else "false"),
        )
        return {"metadata": headers, "credentials": self._client._call_credentials}

    def failed(self, error: grpc.RpcError, stream: str = "") -> Exception:
        """Turns a gRPC error into one of ours, and looks for the leader again where it may have changed."""
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.FAILED_PRECONDITION and "is deleted" in details:
            return StreamDeleted(stream)
        if code is grpc.StatusCode.INVALID_ARGUMENT and "invalid position" in details:
            return InvalidPosition(details)
        not_leader = code is grpc.StatusCode.NOT_FOUND and details == "Leader info available"
        if code in _TRANSIENT or not_leader:
            # Calls of the old connection end as CANCELLED once another call has found that it is lost.
            if self.several_nodes and code is not grpc.StatusCode.CANCELLED and self._stub is not None:
                log.info("looking for the leader of the event store again")
                self.drop(_GRACE)
            return EventStoreUnavailable(f"{code.name}: {details}")
        return AppendRefused(f"{code.name}: {details}")

    def drop(self, grace: float | None = None) -> None:
        """The next call makes a new connection. Calls under way have `grace` seconds to end; without it they fail at
        once: to a node that has fallen silent, the old connection may be dead without either side knowing."""
        self._end_calls()
        if self._stub is not None:
            self._stub = None
            self._reader.forget()
            closing = asyncio.create_task(self._client._connection._grpc_channel.close(grace))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _end_calls(self) -> None:
        for call in list(self.calls):
            call.cancel()

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        if self._connecting is not None:
            self._connecting.cancel()
        self.drop()
        await asyncio.gather(*self._closing, return_exceptions=True)

"""The gRPC connection, made and discovered by esdbclient; we call the generated stub on its channel.

The client's own methods cost a gRPC call for every append and build several Python objects for every event read; the
stub lets us share one long-lived append call and read with half the work (docs/decisions/0002). esdbclient still
does what it is good at: connection strings, TLS, credentials and discovery of the leader.
"""

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
from infrastructure.event_store.http2 import ReadCall, Target, Unsupported, target_of
from infrastructure.event_store.reader_choice import Reader, ReaderChoice

log = structlog.get_logger(__name__)

# A node that comes back should be noticed within a second; gRPC's own defaults wait for up to two minutes.
_RECONNECT_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)

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

    `calls` are those, each on a connection of its own; they end when this one does.
    """

    def __init__(self, uri: str, reader: Reader = "auto") -> None:
        self.calls: set[ReadCall] = set()
        self._reader = ReaderChoice(reader)
        self._client = AsyncEventStoreDBClient(uri=uri)
        self._client.grpc_options += _RECONNECT_OPTIONS
        self._stub: Any = None
        self._several_nodes = uri.startswith("esdb+discover://") or len(self._client.connection_spec.targets) > 1

    async def stub(self) -> Any:
        """The Streams stub; connects first if needed. Raises EventStoreUnavailable when no leader can be found."""
        if self._stub is None:
            try:
                await self._client.connect()
            except (DiscoveryFailed, EventStoreDBClientException) as error:
                raise EventStoreUnavailable(f"no event store node can be found: {error}") from error
            self._stub = streams_pb2_grpc.StreamsStub(self._client._connection._grpc_channel)  # type: ignore[no-untyped-call]
        return self._stub

    async def read_target(self) -> Target | None:
        """Where the HTTP/2 reader is to connect, once there is a stub; None when grpcio is to read."""
        options = self.call_options()
        if await self._reader.is_http2(self._client._connection._grpc_channel, options):
            try:
                return target_of(self._client, options["metadata"])
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

    async def failed(self, error: grpc.RpcError, stream: str = "") -> Exception:
        """Turns a gRPC error into one of ours, and looks for the leader again where it may have changed."""
        code, details = error.code(), error.details() or ""
        if code is grpc.StatusCode.FAILED_PRECONDITION and "is deleted" in details:
            return StreamDeleted(stream)
        if code is grpc.StatusCode.INVALID_ARGUMENT and "invalid position" in details:
            return InvalidPosition(details)
        not_leader = code is grpc.StatusCode.NOT_FOUND and details == "Leader info available"
        if code in _TRANSIENT or not_leader:
            # Calls of the old connection end as CANCELLED once another call has found that it is lost.
            if self._several_nodes and code is not grpc.StatusCode.CANCELLED:
                await self._forget()
            return EventStoreUnavailable(f"{code.name}: {details}")
        return AppendRefused(f"{code.name}: {details}")

    async def _forget(self) -> None:
        if self._stub is not None:
            self._stub = None
            self._reader.forget()
            log.info("looking for the leader of the event store again")
            self._end_calls()
            await self._client._connection.close()

    def _end_calls(self) -> None:
        for call in list(self.calls):
            call.cancel()

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        self._end_calls()
        if self._stub is not None:
            self._stub = None
            await self._client.close()

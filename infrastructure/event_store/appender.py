"""Appends of all commands of a process, multiplexed over one long-lived BatchAppend call.

Measured on two cores, one gRPC call per append costs a third of the throughput (docs/decisions/0002).
"""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

import grpc
from esdbclient.protos.Grpc import shared_pb2, streams_pb2
from google.protobuf import duration_pb2, empty_pb2

from infrastructure.event_store.connection import Connection
from infrastructure.event_store.errors import (
    AppendRefused,
    EventStoreUnavailable,
    StreamDeleted,
    WrongExpectedRevision,
)
from infrastructure.event_store.events import ANY_REVISION, NO_STREAM, Appended, NewEvent

_EMPTY = empty_pb2.Empty()
_JSON = "application/json"


class _Call:
    """One BatchAppend call: requests go out in order, responses come back by correlation id."""

    def __init__(self, connection: Connection, stub: Any) -> None:
        self._connection = connection
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._call = stub.BatchAppend(**connection.call_options(requires_leader=True))
        self._sender = asyncio.create_task(self._send())
        self._receiver = asyncio.create_task(self._receive())

    @property
    def ended(self) -> bool:
        return self._receiver.done()

    def send(self, correlation_id: str, request: Any) -> asyncio.Future[Any]:
        response = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = response
        self._outgoing.put_nowait(request)
        return response

    def forget(self, correlation_id: str) -> None:
        self._waiting.pop(correlation_id, None)

    def cancel(self) -> None:
        """Ends the call; what waits for a response fails as unavailable."""
        self._receiver.cancel()
        self._sender.cancel()
        self._call.cancel()
        self._fail_waiting(EventStoreUnavailable("the append call was given up"))

    async def close(self) -> None:
        self.cancel()
        await asyncio.gather(self._receiver, self._sender, return_exceptions=True)

    async def _send(self) -> None:
        # When the call has ended, _receive gets the reason; here nothing is left to do.
        with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            while True:
                await self._call.write(await self._outgoing.get())

    async def _receive(self) -> None:
        failure: Exception = EventStoreUnavailable("the event store ended the append call")
        try:
            async for response in self._call:
                waiting = self._waiting.pop(response.correlation_id.string, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(response)
        except grpc.RpcError as error:
            failure = self._connection.failed(error)
            if not isinstance(failure, EventStoreUnavailable):
                failure = EventStoreUnavailable(str(failure))
        finally:
            self._sender.cancel()
            self._fail_waiting(failure)

    def _fail_waiting(self, failure: Exception) -> None:
        futures, self._waiting = self._waiting, {}
        for waiting in futures.values():
            if not waiting.done():
                waiting.set_exception(failure)


class Appender:
    """Appends with an exact expected revision. `deadline` is in seconds, for the store; the caller gives up."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self._connection = connection
        self._duration = duration_pb2.Duration(seconds=int(deadline), nanos=int(deadline % 1 * 1_000_000_000))
        self._counter = itertools.count(1)
        self._call: _Call | None = None

    async def append(self, stream: str, expected: int, events: Sequence[NewEvent]) -> Appended:
        """Appends `events` after revision `expected` (NO_STREAM: the stream must be new), all or none.

        Raises WrongExpectedRevision, StreamDeleted, AppendRefused, or EventStoreUnavailable (outcome unknown).
        """
        correlation_id = f"00000000-0000-0000-0000-{next(self._counter):012x}"
        request = self._request(correlation_id, stream, expected, events)
        call = self._call
        if call is None or call.ended:
            call = await self._open()
        try:
            response = await call.send(correlation_id, request)
        finally:
            call.forget(correlation_id)
        if response.WhichOneof("result") == "success":
            success = response.success
            return Appended(success.current_revision, success.position.commit_position)
        raise _refusal(stream, expected, response.error)

    def drop(self) -> None:
        """Appends under way fail as unavailable; the next one opens a new call."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    async def close(self) -> None:
        """Ends the call; appends under way fail as unavailable."""
        if self._call is not None:
            await self._call.close()

    async def _open(self) -> _Call:
        stub = await self._connection.stub()
        if self._call is None or self._call.ended:
            self._call = _Call(self._connection, stub)
        return self._call

    def _request(self, correlation_id: str, stream: str, expected: int, events: Sequence[NewEvent]) -> Any:
        options = streams_pb2.BatchAppendReq.Options(
            stream_identifier=shared_pb2.StreamIdentifier(stream_name=stream.encode()),
            deadline=self._duration,
        )
        if expected == NO_STREAM:
            options.no_stream.CopyFrom(_EMPTY)
        elif expected == ANY_REVISION:
            options.any.CopyFrom(_EMPTY)
        else:
            options.stream_position = expected
        return streams_pb2.BatchAppendReq(
            correlation_id=shared_pb2.UUID(string=correlation_id),
            options=options,
            proposed_messages=[
                streams_pb2.BatchAppendReq.ProposedMessage(
                    id=shared_pb2.UUID(string=event.id),
                    metadata={"type": event.type, "content-type": _JSON},
                    custom_metadata=event.metadata,
                    data=event.data,
                )
                for event in events
            ],
            is_final=True,
        )


def _refusal(stream: str, expected: int, error: Any) -> Exception:
    details = error.details
    if details.Is(shared_pb2.WrongExpectedVersion.DESCRIPTOR):
        conflict = shared_pb2.WrongExpectedVersion()
        details.Unpack(conflict)
        exists = conflict.WhichOneof("current_stream_revision_option") == "current_stream_revision"
        return WrongExpectedRevision(stream, expected, conflict.current_stream_revision if exists else NO_STREAM)
    if details.Is(shared_pb2.StreamDeleted.DESCRIPTOR):
        return StreamDeleted(stream)
    for refused in (shared_pb2.AccessDenied, shared_pb2.MaximumAppendSizeExceeded, shared_pb2.BadRequest):
        if details.Is(refused.DESCRIPTOR):
            return AppendRefused(f"the event store refused an append to {stream}: {refused.DESCRIPTOR.name}")
    # Timeout, Unknown and whatever a later server may add: the outcome is not known; only a repetition can tell.
    return EventStoreUnavailable(f"append to {stream}: {error.message or details.type_url}")

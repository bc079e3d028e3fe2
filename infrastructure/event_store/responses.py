"""The responses of a Read call, from either reader."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from esdbclient.protos.Grpc import streams_pb2
from google.protobuf.message import DecodeError

from infrastructure.event_store.connection import Connection
from infrastructure.event_store.http2 import NotUnderstood, ReadCall, Target
from infrastructure.event_store.http2.status import internal
from infrastructure.event_store.http2.window import WINDOW_BYTES

Chunks = AsyncGenerator[Sequence[Any], None]
"""ReadResp messages in the chunks in which they came."""


def never_low_latency() -> bool:
    """For a read where throughput matters more than latency."""
    return False


async def responses(
    connection: Connection,
    request: Any,
    low_latency: Callable[[], bool] = never_low_latency,
    window: int = WINDOW_BYTES,
) -> Chunks:
    """A call that is made by iterating and ended by closing what this returns.

    `low_latency` is called now and then; it says whether each message is needed at once. The HTTP/2 reader lets the
    server send `window` bytes ahead. Raises EventStoreUnavailable
    when no leader can be found; iterating raises grpc.RpcError when the call fails.
    """
    stub = await connection.stub()
    target = await connection.read_target()
    if target is None:
        return _by_grpc(connection, stub, request)
    return _by_http2(connection, target, request, low_latency, window)


async def _by_grpc(connection: Connection, stub: Any, request: Any) -> Chunks:
    call = stub.Read(request, **connection.call_options())
    try:
        async for response in call:
            yield (response,)
    finally:
        call.cancel()


async def _by_http2(
    connection: Connection, target: Target, request: Any, low_latency: Callable[[], bool], window: int
) -> Chunks:
    parse = streams_pb2.ReadResp.FromString
    call = await ReadCall.open(target, request.SerializeToString(), low_latency, window)
    connection.calls.add(call)
    try:
        async for messages in call:
            chunk, failure = [], None
            try:
                for message in messages:
                    chunk.append(parse(message))
            except DecodeError as error:
                failure = internal(f"a malformed message: {error}")
            yield chunk
            if failure is not None:
                raise failure
    except NotUnderstood as error:
        connection.read_by_grpc(error.details())
        raise
    finally:
        connection.calls.discard(call)
        call.cancel()

"""Helpers of the persistent subscriptions' tests: groups and consumers in few words."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc.aio
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.protos.Grpc import persistent_pb2, persistent_pb2_grpc, shared_pb2
from node_support import EMPTY, connected, events, stream_id, until

from embedded.event_store_node import EventStoreNode

CreateReq = persistent_pb2.CreateReq
ReadReq = persistent_pb2.ReadReq
Nack = ReadReq.Nack
ReadEvent = persistent_pb2.ReadResp.ReadEvent
Stub = persistent_pb2_grpc.PersistentSubscriptionsStub


def settings(**changes: Any) -> CreateReq.Settings:
    fields: dict[str, Any] = {
        "max_retry_count": 10,
        "min_checkpoint_count": 10,
        "max_checkpoint_count": 1000,
        "live_buffer_size": 500,
        "read_batch_size": 20,
        "history_buffer_size": 500,
        "message_timeout_ms": 30_000,
        "checkpoint_after_ms": 2_000,
        "consumer_strategy": "RoundRobin",
    }
    return CreateReq.Settings(**fields | changes)


async def create(stub: Stub, stream: str | None = "s", group: str = "g", start: Any = None, **changes: Any) -> None:
    """A group from the start, or from where `start` (fields of the stream's or `$all`'s options) says."""
    start = start or {"start": EMPTY}
    options = CreateReq.Options(group_name=group, settings=settings(**changes))
    if stream is None:
        options.all.CopyFrom(CreateReq.AllOptions(**start))
    else:
        options.stream.CopyFrom(CreateReq.StreamOptions(stream_identifier=stream_id(stream), **start))
    await stub.Create(CreateReq(options=options))


def named(message: type, stream: str | None = "s", group: str = "g", **fields: Any) -> Any:
    """The options of a call that names a group."""
    where = {"all": EMPTY} if stream is None else {"stream_identifier": stream_id(stream)}
    return message(group_name=group, **where, **fields)


async def info(stub: Stub, stream: str | None = "s", group: str = "g") -> persistent_pb2.SubscriptionInfo:
    options = named(persistent_pb2.GetInfoReq.Options, stream, group)
    return (await stub.GetInfo(persistent_pb2.GetInfoReq(options=options))).subscription_info


async def until_info(stub: Stub, stream: str | None = "s", group: str = "g", **expected: Any) -> None:
    """Wait until the group's info has these values."""

    async def is_so() -> bool:
        now = await info(stub, stream, group)
        return all(getattr(now, name) == value for name, value in expected.items())

    await until(is_so)


async def listed(stub: Stub) -> list[tuple[str, str]]:
    """The source and the name of every group."""
    options = persistent_pb2.ListReq.Options(list_all_subscriptions=EMPTY)
    found = (await stub.List(persistent_pb2.ListReq(options=options))).subscriptions
    return [(one.event_source, one.group_name) for one in found]


async def replay(stub: Stub, stream: str | None = "s", group: str = "g", stop_at: int | None = None) -> None:
    until_ = {"no_limit": EMPTY} if stop_at is None else {"stop_at": stop_at}
    options = named(persistent_pb2.ReplayParkedReq.Options, stream, group, **until_)
    await stub.ReplayParked(persistent_pb2.ReplayParkedReq(options=options))


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[tuple[EventStoreNode, AsyncEventStoreDBClient, Stub]]:
    """A node in this process on a data directory, so that it can be started again."""
    async with (
        EventStoreNode(data_dir) as node,
        connected(node.uri) as client,
        grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel,
    ):
        yield node, client, Stub(channel)


def tick(node: EventStoreNode, seconds: float = 0) -> None:
    """Let the groups believe that it is so much later."""
    node.persistent_subscriptions.tick(time.monotonic() + seconds)


class Consumer:
    """A consumer on the generated stub: it sees everything that the server sends."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.confirmation = ""

    async def start(self, options: ReadReq.Options) -> None:
        await self._call.write(ReadReq(options=options))
        self.confirmation = (await self.read()).subscription_confirmation.subscription_id

    async def read(self) -> persistent_pb2.ReadResp:
        message: persistent_pb2.ReadResp = await asyncio.wait_for(self._call.read(), 20)
        return message

    async def take(self, count: int) -> list[ReadEvent]:
        return [(await self.read()).event for _ in range(count)]

    async def ack(self, *taken: ReadEvent) -> None:
        await self._call.write(ReadReq(ack=ReadReq.Ack(ids=[ack_id(one) for one in taken])))

    async def nack(self, action: Any, *taken: ReadEvent, reason: str = "") -> None:
        nack = Nack(ids=[ack_id(one) for one in taken], action=action, reason=reason)
        await self._call.write(ReadReq(nack=nack))

    async def send(self, request: ReadReq) -> None:
        await self._call.write(request)

    async def end(self) -> grpc.aio.AioRpcError:
        """The error with which the server ends the call."""
        try:
            while True:
                if await self.read() is grpc.aio.EOF:
                    break
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError(f"the call ended with {await self._call.code()}")

    async def close_sending(self) -> None:
        await self._call.done_writing()

    def cancel(self) -> None:
        self._call.cancel()


@asynccontextmanager
async def consuming(
    stub: Stub, stream: str | None = "s", group: str = "g", buffer_size: int = 10, **uuid_option: Any
) -> AsyncIterator[Consumer]:
    consumer = Consumer(stub.Read())
    uuid = ReadReq.Options.UUIDOption(**(uuid_option or {"string": EMPTY}))
    await consumer.start(named(ReadReq.Options, stream, group, buffer_size=buffer_size, uuid_option=uuid))
    try:
        yield consumer
    finally:
        consumer.cancel()


def ack_id(taken: ReadEvent) -> shared_pb2.UUID:
    return taken.link.id if taken.HasField("link") else taken.event.id


def revisions(taken: list[ReadEvent]) -> list[int]:
    return [one.event.stream_revision for one in taken]


def ids(taken: list[ReadEvent]) -> list[UUID]:
    return [UUID(one.event.id.string) for one in taken]


async def append(client: AsyncEventStoreDBClient, stream: str = "s", count: int = 1, type_: str = "Happened") -> int:
    """Append events. Returns the position of the last."""
    return await client.append_to_stream(stream, current_version=StreamState.ANY, events=events(count, type_))


def trailers(error: grpc.aio.AioRpcError) -> dict[str, str]:
    return {key: value for key, value in error.trailing_metadata() or () if not key.startswith("grpc-")}

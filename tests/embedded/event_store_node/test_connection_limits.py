"""What the node does with clients that do not speak on, or ask for too much: over real sockets, with short limits."""

import asyncio
import itertools
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Any

import grpc
import h2.connection
import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.protos.Grpc import shared_pb2, streams_pb2, streams_pb2_grpc
from node_support import event

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.limits import ConnectionLimits, server_options

PATIENCE = 60.0  # for conditions on a busy machine: reached only when something is wrong
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SHORT = ConnectionLimits(handshake_timeout=1, ping_interval=1, ping_timeout=2, idle_timeout=2, max_calls=5)


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


SETTINGS, SETTINGS_ACK = frame(4, 0, 0, b""), frame(4, 1, 0, b"")
HEADERS, CONTINUATION, PING = 1, 9, 6
# A header of 4,000 bytes, literal and not indexed.
LARGE_HEADER = b"\x00\x01x\x7f" + bytes([(4_000 - 127) % 128 + 128, (4_000 - 127) // 128]) + b"y" * 4_000

HOSTILE: dict[str, tuple[bytes, Iterable[bytes]]] = {
    "says nothing": (b"", ()),
    "half a preface": (PREFACE[:10], ()),
    "a preface, byte by byte": (b"", [bytes([one]) for one in PREFACE[:20]]),
    "a preface alone": (PREFACE, ()),
    "half a frame": (PREFACE + SETTINGS + SETTINGS_ACK + b"\x00\x03\xe8\x00\x00\x00\x00\x00\x01abc", ()),
    "answers no ping": (PREFACE + SETTINGS + SETTINGS_ACK, ()),
    "headers without end": (
        PREFACE + SETTINGS + SETTINGS_ACK + frame(HEADERS, 0, 1, b""),
        itertools.repeat(frame(CONTINUATION, 0, 1, LARGE_HEADER)),
    ),
    "empty headers without end": (
        PREFACE + SETTINGS + SETTINGS_ACK + frame(HEADERS, 0, 1, b""),
        itertools.repeat(frame(CONTINUATION, 0, 1, b"")),
    ),
}


@pytest.fixture
async def strict() -> AsyncIterator[EventStoreNode]:
    async with EventStoreNode(limits=SHORT) as node:
        yield node


async def until_cut_off(node: EventStoreNode, beginning: bytes, rest: Iterable[bytes]) -> None:
    """Sends this, and waits until the node ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)

    async def send() -> None:
        with suppress(ConnectionError):
            for piece in itertools.chain([beginning], rest):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.05)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(PATIENCE):
            with suppress(ConnectionError):
                while await reader.read(65_536):
                    pass
    finally:
        sending.cancel()
        writer.close()


async def test_whoever_does_not_speak_on_is_cut_off_and_a_silent_subscription_lives_on(strict: EventStoreNode) -> None:
    client = AsyncEventStoreDBClient(strict.uri)
    await client.connect()
    try:
        subscription = await client.subscribe_to_stream("quiet")
        async with asyncio.TaskGroup() as hostile:
            for name, case in HOSTILE.items():
                hostile.create_task(until_cut_off(strict, *case), name=name)
        # All limits have passed meanwhile, the one for idle connections too.
        await client.append_to_stream("quiet", current_version=StreamState.NO_STREAM, events=[event("Heard")])
        async with asyncio.timeout(PATIENCE):
            assert (await anext(aiter(subscription))).type == "Heard"
    finally:
        await client.close()


class Http2Client:
    """A client that keeps to HTTP/2's rules and answers pings, and makes no call."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.protocol = h2.connection.H2Connection()
        self.protocol.initiate_connection()
        self._flush()

    def _flush(self) -> None:
        self._writer.write(self.protocol.data_to_send())

    async def events_until(self, kind: type) -> list[object]:
        """What comes until an event of this kind; to the end of the connection, if there is none."""
        seen: list[object] = []
        async with asyncio.timeout(PATIENCE):
            while not any(isinstance(one, kind) for one in seen):
                if not (data := await self._reader.read(65_536)):
                    break
                seen += self.protocol.receive_data(data)
                self._flush()
        return seen


@pytest.fixture
async def http2(strict: EventStoreNode) -> AsyncIterator[Http2Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
    yield Http2Client(reader, writer)
    writer.close()


async def test_a_client_learns_how_many_calls_it_may_have(http2: Http2Client) -> None:
    await http2.events_until(h2.events.SettingsAcknowledged)
    assert http2.protocol.remote_settings.max_concurrent_streams == SHORT.max_calls


async def test_a_connection_without_a_call_is_sent_away(http2: Http2Client) -> None:
    seen = await http2.events_until(h2.events.ConnectionTerminated)
    assert isinstance(seen[-1], h2.events.ConnectionTerminated)


async def test_more_connections_than_the_bound_are_closed_and_the_others_live_on() -> None:
    limits = ConnectionLimits(max_connections=2, handshake_timeout=3_600)
    async with EventStoreNode(limits=limits) as node, AsyncExitStack() as stack:
        client = AsyncEventStoreDBClient(node.uri)
        await client.connect()
        stack.push_async_callback(client.close)
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])
        for _ in range(2):  # the client may have come by the other loopback address
            _, held = await asyncio.open_connection("127.0.0.1", node.port)
            stack.callback(held.close)
        await until_cut_off(node, b"", ())
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])


async def test_headers_beyond_16_kib_are_refused_and_others_go_on() -> None:
    async with (
        EventStoreNode() as node,
        grpc.aio.insecure_channel(f"127.0.0.1:{node.port}") as large,
        grpc.aio.insecure_channel(f"127.0.0.1:{node.port}", options=[("grpc.use_local_subchannel_pool", 1)]) as small,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await read_all(large, 1, metadata=(("x-large", "y" * 20_000),))
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await read_all(small, 1) == 1


@pytest.mark.parametrize("count", [2**31, 2**63 - 1, 2**64 - 1])
async def test_any_number_of_events_may_be_asked_for(count: int) -> None:
    async with EventStoreNode() as node, grpc.aio.insecure_channel(f"127.0.0.1:{node.port}") as channel:
        assert await read_all(channel, count) >= 1


async def read_all(channel: grpc.aio.Channel, count: int, **options: Any) -> int:
    asked = streams_pb2.ReadReq.Options(
        count=count,
        no_filter=shared_pb2.Empty(),
        uuid_option=streams_pb2.ReadReq.Options.UUIDOption(string=shared_pb2.Empty()),
    )
    asked.all.start.SetInParent()
    stub = streams_pb2_grpc.StreamsStub(channel)
    return len([one async for one in stub.Read(streams_pb2.ReadReq(options=asked), **options)])


@pytest.mark.parametrize("deep", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 40_000 + b"1" + b"}" * 40_000])
async def test_json_of_any_depth_is_kept_and_says_nothing(deep: bytes) -> None:
    async with EventStoreNode() as node:
        client = AsyncEventStoreDBClient(f"esdb://127.0.0.1:{node.port}?Tls=false")
        await client.connect()
        metadata = NewEvent(type="$metadata", data=deep)
        await client.append_to_stream("$$lamp-1", current_version=StreamState.ANY, events=[metadata])
        await client.append_to_stream(
            "lamp-1", current_version=StreamState.ANY, events=[NewEvent(type="A", data=deep, metadata=deep)]
        )
        (kept,) = await client.get_stream("lamp-1")
        assert (kept.data, kept.metadata) == (deep, deep)
        await client.close()


def test_the_defaults() -> None:
    options = dict(server_options(ConnectionLimits()))
    assert options["grpc.server_handshake_timeout_ms"] == options["grpc.http2.settings_timeout"] == 10_000
    assert options["grpc.keepalive_time_ms"] == options["grpc.http2.ping_timeout_ms"] == 10_000
    assert options["grpc.max_connection_idle_ms"] == 130_000
    assert options["grpc.max_allowed_incoming_connections"] == 1_000
    assert options["grpc.max_concurrent_streams"] == 2_000

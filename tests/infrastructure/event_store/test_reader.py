"""Subscriptions over connections that go wrong in every way: no event is lost or comes twice, memory is bounded."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from infrastructure.event_store import AppendRefused, EventStore, EventStoreUnavailable
from infrastructure.event_store.connection import Connection
from infrastructure.event_store.http2 import CallFailed, call, frames
from infrastructure.event_store.http2.exchange import Exchange
from infrastructure.event_store.http2.framing import prefixed
from infrastructure.event_store.http2.keep_alive import KeepAliveTimes
from infrastructure.event_store.http2.target import Target
from infrastructure.event_store.http2.window import WINDOW_BYTES
from tests.infrastructure.event_store.responses import CAUGHT_UP, asked_after, event
from tests.infrastructure.event_store.scripted_server import ANSWER, OK, Peer, serving

pytestmark = pytest.mark.timeout(60)

LAST = 60


@pytest.fixture(autouse=True)
def only_this_reader(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """What goes wrong is to meet this reader again, where it would leave the rest to grpcio."""
    if "after_nonsense" not in request.node.name:
        monkeypatch.setattr(Connection, "read_by_grpc", lambda self, because: None)


def http2_store(uri: str) -> EventStore:
    """A store that is read by our HTTP/2 reader, whoever the server says it is."""
    return EventStore(uri, reader="http2")


async def test_after_nonsense_grpcio_reads_on():
    async def answers(peer: Peer) -> None:
        await peer.request()
        peer.answer()
        await garbage(peer)

    async with serving(answers) as uri:
        store = http2_store(uri)
        with pytest.raises(EventStoreUnavailable), capture_logs() as logs:
            await next_positions(store)
        assert await store._connection.read_target() is None
        assert [one["event"] for one in logs] == [
            "the HTTP/2 reader can't be used; reading by gRPC, which costs more CPU"
        ]
        await store.close()


async def follow(store: EventStore, last: int) -> tuple[list[int], list[Exception]]:
    """Every position up to `last`, subscribing again after each failure."""
    positions: list[int] = []
    failures: list[Exception] = []
    after: int | None = None
    while after is None or after < last:
        try:
            async with store.subscribe(after) as subscription:
                while after is None or after < last:
                    batch = await subscription.next_batch()
                    positions += [one.position for one in batch.events]
                    after = batch.position
        except EventStoreUnavailable as error:
            failures.append(error)
    return positions, failures


async def next_positions(store: EventStore, after: int | None = None) -> list[int]:
    async with store.subscribe(after) as subscription:
        return [one.position for one in (await subscription.next_batch()).events]


# What goes wrong in the middle of a call; after it the connection is closed.


async def closed(peer: Peer) -> None:
    pass


async def aborted(peer: Peer) -> None:
    peer._writer.transport.abort()


async def half_a_message(peer: Peer) -> None:
    peer.data(prefixed(event(1000))[:-3])


async def half_a_frame(peer: Peer) -> None:
    peer.raw(b"\0\1\0\0\0\0\0\0\1abc")


async def half_a_message_then_ok(peer: Peer) -> None:
    peer.data(prefixed(event(1000))[:-3])
    peer.trailers()


async def ok(peer: Peer) -> None:
    peer.trailers()


async def consumer_too_slow(peer: Peer) -> None:
    peer.trailers([("grpc-status", "10"), ("grpc-message", "Consumer too slow")])


async def handler_threw(peer: Peer) -> None:
    peer.trailers([("grpc-status", "2"), ("grpc-message", "Exception was thrown by handler.")])


async def not_leader(peer: Peer) -> None:
    peer.trailers([("grpc-status", "5"), ("grpc-message", "Leader info available"), ("exception", "not-leader")])


async def reset(peer: Peer) -> None:
    peer.frame(3, (2).to_bytes(4, "big"))


async def goes_away(peer: Peer) -> None:
    peer.frame(frames.GOAWAY, bytes(8), stream=0)


async def goes_away_in_anger(peer: Peer) -> None:
    peer.frame(frames.GOAWAY, (1).to_bytes(4, "big") + (11).to_bytes(4, "big"), stream=0)


async def goes_away_in_peace_then_closes(peer: Peer) -> None:
    peer.frame(frames.GOAWAY, (1).to_bytes(4, "big") + bytes(4), stream=0)


async def compressed(peer: Peer) -> None:
    peer.data(b"\1" + prefixed(event(1000))[1:])


async def too_large_a_message(peer: Peer) -> None:
    peer.data(b"\0\xff\xff\xff\xff")
    await peer.until_cancelled()


async def no_protobuf(peer: Peer) -> None:
    peer.message(b"\xff\xff\xff")


async def garbage(peer: Peer) -> None:
    peer.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def huge_headers(peer: Peer) -> None:
    peer.trailers([*OK, *((f"x-{number}", "v" * 1000) for number in range(200))])


async def a_promise(peer: Peer) -> None:
    peer.frame(frames.PUSH_PROMISE, b"\0\0\0\2\x82", flags=frames.END_HEADERS)


FAULTS = [
    closed,
    aborted,
    half_a_message,
    half_a_frame,
    half_a_message_then_ok,
    ok,
    consumer_too_slow,
    handler_threw,
    not_leader,
    reset,
    goes_away,
    goes_away_in_anger,
    goes_away_in_peace_then_closes,
    compressed,
    too_large_a_message,
    no_protobuf,
    garbage,
    huge_headers,
    a_promise,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_after_any_fault_nothing_is_missing_and_nothing_comes_twice(fault):
    async def script(peer: Peer) -> None:
        after = asked_after(await peer.request())
        peer.answer()
        for position in range(after + 1, min(after + 20, LAST) + 1):
            peer.message(event(position))
        if after + 20 < LAST:
            await fault(peer)
        else:
            await peer.until_cancelled()

    async with serving(script) as uri:
        store = http2_store(uri)
        positions, failures = await follow(store, LAST)
        await store.close()
    # A connection that is aborted may lose what was on its way; all others hand out what was whole.
    assert positions == list(range(1, LAST + 1))
    assert len(failures) >= 2


@pytest.mark.parametrize(
    ("headers", "failure"),
    [
        ([(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14")], EventStoreUnavailable),
        ([(":status", "200"), ("content-type", "text/html")], EventStoreUnavailable),
        ([(":status", "503"), ("content-type", "text/html")], EventStoreUnavailable),
        ([(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "16")], AppendRefused),
        ([(":status", "401")], AppendRefused),
    ],
)
async def test_answers_that_are_refusals(headers, failure):
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.answer(headers, end=True)

    async with serving(script) as uri:
        with pytest.raises(failure):
            await next_positions(http2_store(uri))


async def test_the_headers_of_a_call():
    async def script(peer: Peer) -> None:
        request = await peer.request()
        assert request.options.HasField("subscription")
        seen.append(peer.headers)
        peer.answer()
        await peer.messages(event(1), CAUGHT_UP)
        await peer.until_cancelled()

    seen: list[dict[str, str]] = []
    async with serving(script) as uri:
        assert await next_positions(http2_store(f"{uri}&ConnectionName=me")) == [1]
    headers = seen[0]
    assert headers[":path"] == "/event_store.client.streams.Streams/Read"
    assert (headers[":method"], headers[":scheme"], headers["te"]) == ("POST", "http", "trailers")
    assert (headers["content-type"], headers["connection-name"]) == ("application/grpc", "me")
    assert headers["requires-leader"] == "true"
    assert "authorization" not in headers


async def test_each_message_comes_at_once_when_caught_up():
    more = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.answer()
        await peer.messages(event(1), CAUGHT_UP)
        await more.wait()
        await peer.messages(event(2))
        await peer.until_cancelled()

    async with serving(script) as uri, http2_store(uri).subscribe(None) as subscription:
        first = await subscription.next_batch()
        while not first.caught_up:
            first = await subscription.next_batch()
        more.set()
        assert [one.position for one in (await subscription.next_batch()).events] == [2]


@pytest.mark.parametrize("mebibytes", [6, 16.5])
async def test_a_message_larger_than_the_window(mebibytes):
    data = b"x" * int(mebibytes * 2**20)

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.answer()
        await peer.messages(event(1), event(2, data), event(3), CAUGHT_UP)
        await peer.until_cancelled()

    events: list[Any] = []
    async with serving(script) as uri, http2_store(uri).subscribe(None) as subscription:
        while len(events) < 3:
            events += (await subscription.next_batch()).events
    assert [len(one.data) for one in events] == [2, len(data), 2]


async def test_a_message_larger_than_the_window_that_began_while_nobody_waited():
    blocked = asyncio.Event()
    data = b"x" * 2**20

    async def script(peer: Peer) -> None:
        peer.blocked = blocked
        await peer.request()
        peer.answer()
        await peer.messages(event(1), event(2, data), CAUGHT_UP)
        await peer.until_cancelled()

    events: list[Any] = []
    async with serving(script) as uri, http2_store(uri).subscribe(None, buffer=1, max_bytes=1) as subscription:
        await blocked.wait()
        while len(events) < 2:
            events += (await subscription.next_batch()).events
    assert [len(one.data) for one in events] == [2, len(data)]


async def test_a_slow_consumer_may_have_a_bound_in_bytes_of_its_own():
    sent = 0
    blocked = asyncio.Event()
    bound = 256 * 1024

    async def script(peer: Peer) -> None:
        nonlocal sent
        peer.blocked = blocked
        await peer.request()
        peer.answer()
        for position in range(1, 201):
            await peer.patiently(prefixed(event(position, b"x" * 10_000)))
            sent += 10_000
        await peer.until_cancelled()

    async with serving(script) as uri, http2_store(uri).subscribe(None, max_bytes=bound) as subscription:
        await blocked.wait()
        # What waits here, the chunk that it came in, and the window that is open for the next.
        assert sent <= 3 * bound + 100_000
        positions: list[int] = []
        while len(positions) < 200:
            positions += [one.position for one in (await subscription.next_batch()).events]
    assert positions == list(range(1, 201))


async def test_a_slow_consumer_bounds_what_is_sent():
    sent = 0
    blocked = asyncio.Event()
    message = prefixed(event(1, b"x" * 10_000))

    async def script(peer: Peer) -> None:
        nonlocal sent
        peer.blocked = blocked
        await peer.request()
        peer.answer()
        for position in range(1, 2001):
            await peer.patiently(prefixed(event(position, b"x" * 10_000)))
            sent += len(message)
        await peer.messages(CAUGHT_UP)
        await peer.until_cancelled()

    async with serving(script) as uri, http2_store(uri).subscribe(None, buffer=10) as subscription:
        await blocked.wait()
        # What the consumer has asked for, what waits here, and the window that is open for the next.
        assert sent <= 2 * WINDOW_BYTES + 100_000
        assert len(subscription._events) <= 10
        positions: list[int] = []
        while len(positions) < 2000:
            batch = (await subscription.next_batch()).events
            assert len(batch) <= 10
            positions += [one.position for one in batch]
    assert positions == list(range(1, 2001))


class TestSilence:
    async def test_a_server_that_never_answers(self):
        async def script(peer: Peer) -> None:
            await asyncio.Event().wait()

        async with serving(script) as uri:
            with pytest.raises(EventStoreUnavailable, match="keep-alive"):
                await next_positions(http2_store(f"{uri}&KeepAliveInterval=20&KeepAliveTimeout=20"))

    async def test_a_server_that_falls_silent(self):
        async def script(peer: Peer) -> None:
            await peer.request()
            peer.answer()
            await peer.messages(event(1))
            await asyncio.Event().wait()

        async with serving(script) as uri:
            store = http2_store(f"{uri}&KeepAliveInterval=20&KeepAliveTimeout=20")
            async with store.subscribe(None) as subscription:
                assert len((await subscription.next_batch()).events) == 1
                with pytest.raises(EventStoreUnavailable, match="keep-alive"):
                    await subscription.next_batch()

    async def test_one_that_only_has_nothing_to_say_is_kept(self):
        async def script(peer: Peer) -> None:
            await peer.request()
            peer.answer()
            while peer.pings < 3:
                await peer.receive()
            await peer.messages(event(1))
            await peer.until_cancelled()

        async with serving(script) as uri:
            assert await next_positions(http2_store(f"{uri}&KeepAliveInterval=20&KeepAliveTimeout=5000")) == [1]

    async def test_a_flood_of_pings_is_answered(self):
        async def script(peer: Peer) -> None:
            await peer.request()
            peer.answer()
            peer.raw(b"".join(b"\0\0\x08\6\0\0\0\0\0" + number.to_bytes(8, "big") for number in range(5000)))
            acks = 0
            while acks < 5000:
                data = await peer._reader.read(65_536)
                acks += data.count(b"\0\0\x08\6\1\0\0\0\0")
            await peer.messages(event(1))
            await peer.until_cancelled()

        async with serving(script) as uri:
            assert await next_positions(http2_store(uri)) == [1]


class StuckTransport(asyncio.Transport):
    """A peer that never reads."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = 0
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.unsent += len(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def test_a_server_that_asks_without_reading_the_answers_is_left(monkeypatch):
    monkeypatch.setattr(call, "_MAX_UNSENT_BYTES", 10_000)
    headers = ((":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "h:1"))
    target = Target("h", 1, headers, KeepAliveTimes(None, 10), False)
    reading = call.ReadCall(Exchange(headers, b""), target, lambda: True)
    transport = StuckTransport()
    reading.connection_made(transport)
    pings = 0
    while not transport.is_aborted:
        reading.data_received(b"\0\0\0\4\0\0\0\0\0" * (pings == 0) + b"\0\0\x08\6\0\0\0\0\0" + bytes(8))
        pings += 1
    assert pings < 1000
    with pytest.raises(CallFailed, match="does not read"):
        await anext(reading)


async def test_leaving_a_subscription_ends_the_call():
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        peer.answer()
        await peer.messages(event(1))
        await peer.until_cancelled()
        ended.set()

    async with serving(script) as uri:
        assert await next_positions(http2_store(uri)) == [1]
        await ended.wait()


async def test_closing_the_store_ends_its_subscriptions():
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.answer()
        await peer.messages(event(1))
        await peer.until_cancelled()

    async with serving(script) as uri:
        store = http2_store(uri)
        async with store.subscribe(None) as subscription:
            assert len((await subscription.next_batch()).events) == 1
            await store.close()
            with pytest.raises(EventStoreUnavailable, match="CANCELLED"):
                await subscription.next_batch()


async def test_read_all_comes_by_the_same_reader():
    async def script(peer: Peer) -> None:
        request = await peer.request()
        assert request.options.count
        peer.answer(ANSWER)
        await peer.messages(event(5), event(6), event(7))
        peer.trailers([*OK] if not request.options.all.HasField("position") else [("grpc-status", "13")])

    async with serving(script) as uri:
        store = http2_store(uri)
        assert [one.position async for one in store.read_all()] == [5, 6, 7]
        broken = store.read_all(after=5)
        assert [(await anext(broken)).position, (await anext(broken)).position] == [6, 7]
        with pytest.raises(EventStoreUnavailable):
            await anext(broken)

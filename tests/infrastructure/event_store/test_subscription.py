"""The contract of subscriptions and `read_all`, by either reader, against a real node: plain, with TLS, with users."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import uvloop

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.security.security import Security, TlsFiles
from infrastructure.event_store import AppendRefused, EventStore, EventStoreUnavailable, NewEvent, StoredEvent
from infrastructure.event_store.reader_choice import Reader
from infrastructure.event_store.subscription import Subscription
from tests.embedded.event_store_node.access_support import certificate, users_file
from tests.support.services import Service, node_uri, restart_node, start_node

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["http2", "grpc"])
def reader(request: pytest.FixtureRequest) -> Reader:
    return request.param


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Service]:
    node = await start_node(tmp_path)
    yield node
    await node.kill()


@pytest.fixture
async def store(node: Service, reader: Reader) -> AsyncIterator[EventStore]:
    store = EventStore(node_uri(node.port), retry_timeout=10, reader=reader)
    yield store
    await store.close()


def new(data: bytes = b"{}", kind: str = "Happened") -> NewEvent:
    return NewEvent(str(uuid4()), kind, data, b'{"m": 1}')


async def write(store: EventStore, count: int, stream: str = "s", first: int = 0) -> list[int]:
    """Appends one at a time; answers the positions."""
    return [(await store.append(stream, first + number - 1, [new()])).position for number in range(count)]


async def take(subscription: Subscription, count: int) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    while len(events) < count:
        events += (await subscription.next_batch()).events
    return events


async def until_caught_up(subscription: Subscription) -> list[int]:
    positions: list[int] = []
    while True:
        batch = await subscription.next_batch()
        positions += [one.position for one in batch.events]
        if batch.caught_up:
            return positions


async def test_all_that_is_there_and_then_all_that_comes(store):
    there = await write(store, 300)
    async with store.subscribe(None) as subscription:
        assert await until_caught_up(subscription) == there
        for number in range(300, 320):
            [position] = await write(store, 1, first=number)
            assert [one.position for one in await take(subscription, 1)] == [position]


async def test_after_a_position(store):
    there = await write(store, 50)
    async with store.subscribe(there[29]) as subscription:
        assert await until_caught_up(subscription) == there[30:]
    assert [one.position async for one in store.read_all(after=there[29])] == there[30:]


async def test_events_come_whole(store):
    data = b"x" * 900_000
    event = new(data, "Weighed")
    appended = await store.append("ström-1", -1, [event])
    async with store.subscribe(None) as subscription:
        [got] = await take(subscription, 1)
    assert (got.id, got.type, got.stream, got.revision) == (event.id, "Weighed", "ström-1", 0)
    assert (got.position, got.data, got.metadata) == (appended.position, data, event.metadata)
    assert [one async for one in store.read_all()] == [got]


async def test_a_small_buffer_is_never_overrun(store):
    there = await write(store, 200)
    positions: list[int] = []
    async with store.subscribe(None, buffer=7) as subscription:
        while len(positions) < 200:
            batch = (await subscription.next_batch()).events
            assert len(batch) <= 7
            positions += [one.position for one in batch]
    assert positions == there


async def test_an_empty_log(store):
    async with store.subscribe(None) as subscription:
        assert await until_caught_up(subscription) == []
    assert [one async for one in store.read_all()] == []


async def test_several_at_once(store):
    there = await write(store, 100)

    async def one() -> list[int]:
        async with store.subscribe(None) as subscription:
            return await until_caught_up(subscription)

    assert await asyncio.gather(*(one() for _ in range(5))) == [there] * 5


@pytest.mark.parametrize("scheme", ["esdb", "esdb+discover"])
async def test_the_node_is_killed_and_comes_back(node, reader, scheme):
    store = EventStore(
        f"{scheme}://127.0.0.1:{node.port}?Tls=false&DiscoveryInterval=10", retry_timeout=20, reader=reader
    )
    there = await write(store, 20)
    positions: list[int] = []
    async with store.subscribe(None) as subscription:
        positions += await until_caught_up(subscription)
        await node.kill()
        with pytest.raises(EventStoreUnavailable):
            await subscription.next_batch()
    await restart_node(node)
    there += await write(store, 20, first=20)
    while len(positions) < len(there):
        try:
            async with store.subscribe(positions[-1]) as subscription:
                positions += await until_caught_up(subscription)
        except EventStoreUnavailable:
            await store.ping()
    assert positions == there
    await store.close()


# TLS


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets")
    certificate(directory)
    certificate(directory, "ca")
    certificate(directory, "client", ca="ca")
    users_file(directory)
    return directory


async def follows(uri: str, reader: Reader) -> None:
    store = EventStore(uri, retry_timeout=5, reader=reader)
    try:
        there = await write(store, 30, stream=str(uuid4()))
        async with store.subscribe(None) as subscription:
            assert (await until_caught_up(subscription))[-30:] == there
    finally:
        await store.close()


async def fails(uri: str, reader: Reader) -> Exception:
    store = EventStore(uri, reader=reader)
    try:
        async with store.subscribe(None) as subscription:
            with pytest.raises((EventStoreUnavailable, AppendRefused)) as failure:
                await subscription.next_batch()
        return failure.value
    finally:
        await store.close()


async def test_tls_with_users(secrets, reader):
    tls = TlsFiles(secrets / "node.crt", secrets / "node.key")
    async with EventStoreNode(security=Security(tls, secrets / "users.json")) as node:
        at, ca = f"127.0.0.1:{node.port}", f"TlsCaFile={secrets / 'node.crt'}"
        await follows(f"esdb://admin:changeit@{at}?{ca}", reader)
        await follows(f"esdb+discover://admin:changeit@{at}?{ca}", reader)
        await follows(f"esdb://admin:changeit@localhost:{node.port}?{ca}", reader)
        refused = await fails(f"esdb://admin:wrong@{at}?{ca}", reader)
        assert isinstance(refused, AppendRefused)
        assert "UNAUTHENTICATED" in str(refused)
        assert isinstance(
            await fails(f"esdb://admin:changeit@{at}?TlsCaFile={secrets / 'ca.crt'}", reader), EventStoreUnavailable
        )
        assert isinstance(await fails(f"esdb://{at}?Tls=false", reader), EventStoreUnavailable)


def test_tls_on_the_loop_of_the_services(secrets, reader):
    async def main() -> None:
        async with EventStoreNode(security=Security(TlsFiles(secrets / "node.crt", secrets / "node.key"))) as node:
            await follows(f"esdb://a:b@127.0.0.1:{node.port}?TlsCaFile={secrets / 'node.crt'}", reader)

    uvloop.run(main())


async def test_a_certificate_for_another_host(secrets, reader):
    tls = TlsFiles(secrets / "node.crt", secrets / "node.key")
    async with EventStoreNode(host="127.0.0.2", security=Security(tls)) as node:
        uri = f"esdb://a:b@127.0.0.2:{node.port}?TlsCaFile={secrets / 'node.crt'}"
        assert isinstance(await fails(uri, reader), EventStoreUnavailable)


async def test_certificates_are_not_checked_where_the_connection_string_says_so(secrets):
    tls = TlsFiles(secrets / "node.crt", secrets / "node.key")
    async with EventStoreNode(host="127.0.0.2", security=Security(tls)) as node:
        store = EventStore(f"esdb://a:b@127.0.0.2:{node.port}?TlsVerifyCert=false", reader="http2")
        async with store.subscribe(None) as subscription:
            assert await until_caught_up(subscription) == []
        await store.close()


async def test_user_certificates(secrets, reader):
    mutual = TlsFiles(secrets / "node.crt", secrets / "node.key", secrets / "ca.crt")
    async with EventStoreNode(security=Security(mutual)) as node:
        uri = f"esdb://a:b@127.0.0.1:{node.port}?TlsCaFile={secrets / 'node.crt'}"
        await follows(f"{uri}&UserCertFile={secrets / 'client.crt'}&UserKeyFile={secrets / 'client.key'}", reader)
        assert isinstance(await fails(uri, reader), EventStoreUnavailable)


async def test_a_key_with_a_password_is_not_asked_for(secrets, tmp_path):
    locked = tmp_path / "locked.key"
    given = ["-in", str(secrets / "client.key"), "-out", str(locked), "-aes256", "-passout", "pass:secret"]
    await asyncio.to_thread(subprocess.run, ["openssl", "rsa", *given], check=True, capture_output=True)
    uri = f"esdb://a:b@127.0.0.1:1?UserCertFile={secrets / 'client.crt'}&UserKeyFile={locked}"
    assert isinstance(await fails(uri, "http2"), EventStoreUnavailable)

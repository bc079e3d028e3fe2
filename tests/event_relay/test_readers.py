"""Readers of server-sent events over real sockets: one that reads nothing holds nobody up and is let go; one that loses
its connection, because the relay is killed, misses nothing. The relay has no destination."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp

from examples.subscriber.stream import StreamReader
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent, StoredEvent
from tests.event_relay.test_relay import mapped
from tests.support.http_session import http_session
from tests.support.order_logs import OrderLog, confirmed, created
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, node_uri, service, start_node, until

ORDERS, LINES, SLOW = 400, 400, 63
"""Some 12 MB of events, and with the one that reads as many readers as a relay takes."""
MOST_MEMORY = 200 * 1024 * 1024
"""By so much the relay may grow for all that read nothing: 3 MiB each. All events of each would be some 700 MB."""


def orders(names: Sequence[str]) -> list[StoredEvent]:
    log = OrderLog()
    for name in names:
        log.add(f"order-{name}", created(name, lines=LINES))
    return log.events


async def append(store: EventStore, events: Sequence[StoredEvent]) -> None:
    for one in events:
        new = NewEvent(f"{hash(one.stream) & 0xFFFFFFFF:08x}{one.id[8:]}", one.type, one.data, one.metadata)
        await store.append(one.stream, one.revision - 1 if one.revision else NO_STREAM, [new])


@asynccontextmanager
async def relay_alone(folder: Path, database: ReadStoreDatabase) -> AsyncIterator[tuple[Service, EventStore]]:
    async with AsyncExitStack() as stack:
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        store = EventStore(node_uri(node.port))
        stack.push_async_callback(store.close)
        relay = service(
            "event_relay",
            folder,
            eventstore_uri=node_uri(node.port),
            mongo_uri=database.uri,
            mongo_database=database.name,
            http_write_timeout="2",
        )
        await relay.start()
        stack.push_async_callback(relay.kill)
        await until(lambda: relay.answers("/health/ready"), "the relay is ready without a destination", 60)
        yield relay, store


def reads_nothing(port: int) -> socket.socket:
    """A client that asks for everything, and takes as little as its system lets it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /events?from=start HTTP/1.1\r\nHost: relay\r\n\r\n")
    return client


async def connections(relay: Service, http: aiohttp.ClientSession) -> int:
    async with http.get(f"{relay.url}/metrics") as response:
        found = re.search(r"^eventfold_relay_stream_connections (\S+)", await response.text(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


async def test_readers_that_read_nothing_hold_nobody_up_and_are_let_go(
    read_store_database: ReadStoreDatabase, tmp_path: Path
):
    async with relay_alone(tmp_path, read_store_database) as (relay, store), http_session() as http:
        await append(store, orders([f"o{number}" for number in range(ORDERS)]))
        await takes_all(relay, http)  # so that what is measured below is not what anything needs at its first time
        before = largest_memory(relay)
        slow = [reads_nothing(relay.port) for _ in range(SLOW)]
        reader = StreamReader(f"{relay.url}/events", http)
        reading = asyncio.create_task(reader.run())
        try:

            async def has_come() -> bool:
                return len(reader.taken) >= ORDERS

            async def only_the_reader() -> bool:
                return await connections(relay, http) == 1

            await until(has_come, "who reads gets everything", 120)
            await until(only_the_reader, "those that read nothing are let go", 60)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            for client in slow:
                client.close()
        grown = largest_memory(relay) - before
    assert grown < MOST_MEMORY, f"{SLOW} readers that read nothing made the relay grow by {grown / 1024**2:.0f} MiB"


async def takes_all(relay: Service, http: aiohttp.ClientSession) -> None:
    reader = StreamReader(f"{relay.url}/events", http)
    reading = asyncio.create_task(reader.run())

    async def has_come() -> bool:
        return len(reader.taken) >= ORDERS

    try:
        await until(has_come, "who reads alone gets everything", 120)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def largest_memory(relay: Service) -> int:
    """The most bytes that the relay has had resident up to now."""
    status = Path(f"/proc/{relay.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


async def test_who_goes_on_after_a_kill_misses_nothing(read_store_database: ReadStoreDatabase, tmp_path: Path):
    async with relay_alone(tmp_path, read_store_database) as (relay, store), http_session() as http:
        log = OrderLog()
        for number in range(60):
            log.add(f"order-o{number}", created(f"o{number}"))
            log.add(f"order-o{number}", confirmed(f"o{number}"))
        reader = StreamReader(f"{relay.url}/events", http)
        reading = asyncio.create_task(reader.run())
        try:
            for part in range(3):
                begin = len(log.events) * part // 3
                await append(store, log.events[begin : len(log.events) * (part + 1) // 3])

                async def has_begun(begin: int = begin) -> bool:
                    return len(reader.taken) > begin

                await until(has_begun, "some of it has come", 60)
                await relay.kill()
                await relay.start()

            async def has_come() -> bool:
                return len({one.id for one in reader.taken}) >= len(log.events)

            await until(has_come, "everything has come", 60)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    first = list({one.id: one for one in reversed(reader.taken)}.values())[::-1]
    assert [(one.type, one.subject) for one in first] == [(one.type, one.subject) for one in mapped(log.events)]
    assert reader.connections >= 3

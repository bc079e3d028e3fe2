"""What a node says of events that were deleted, cut off and scavenged, and of those of another log."""

import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio
from esdbclient import AsyncEventStoreDBClient, StreamState

from infrastructure.checkpoints import Trail, missing_from
from infrastructure.checkpoints.anchors import NO_TRAIL, advanced, last_event
from infrastructure.checkpoints.log_check import trail_at
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent, StoredEvent
from tests.support.services import Service, node_uri, restart_node, start_node, until

_ONE_THREAD = b"\x0a\x02\x08\x01"


class Log:
    """A node of its own, and a client that can do what ours can't."""

    def __init__(self, folder: Path, node: Service) -> None:
        self.folder = folder
        self.node = node
        self.store = EventStore(node_uri(node.port), retry_timeout=30)
        self.client = AsyncEventStoreDBClient(node_uri(node.port))

    async def append(self, stream: str, *, after: int = NO_STREAM, events: int = 1) -> list[StoredEvent]:
        new = [NewEvent(str(uuid.uuid4()), "Happened", b"{}", b"{}") for _ in range(events)]
        await self.store.append(stream, after, new)
        return (await self.store.read_stream(stream))[-events:]

    async def scavenge(self, gone: StoredEvent) -> None:
        """Scavenges, and waits until the event is no longer there."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.node.port}") as channel:
            await channel.unary_unary("/event_store.client.operations.Operations/StartScavenge")(_ONE_THREAD)

        async def is_gone() -> bool:
            found = await self.store.first_from(gone.position)
            return found is None or found.position > gone.position

        await until(is_gone, "the event is scavenged", 60)

    async def close(self) -> None:
        await self.client.close()
        await self.store.close()


@pytest_asyncio.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    node = await start_node(tmp_path)
    log = Log(tmp_path, node)
    await log.client.connect()
    yield log
    await log.close()
    await node.kill()


async def trail_over(log: Log) -> Trail:
    return advanced(NO_TRAIL, [event async for event in log.store.read_all()])


@pytest.mark.parametrize("how", ["deleted", "deleted and begun again", "tombstone", "cut off", "cut off at the end"])
async def test_what_was_removed_is_no_sign_of_another_log(log: Log, how: str) -> None:
    await log.append("a-1")
    _, last, _ = await log.append("a-2", events=3)  # a scavenge leaves the newest event of a stream
    events = [event async for event in log.store.read_all()]
    trail = advanced(NO_TRAIL, events[:-1])
    assert last_event(trail) == last.position
    if how == "tombstone":
        await log.client.tombstone_stream("a-2", current_version=StreamState.ANY)
    elif how.startswith("deleted"):
        await log.client.delete_stream("a-2", current_version=StreamState.ANY)
        if "again" in how:
            await log.append("a-2", after=2)
    elif how == "cut off at the end":
        await log.client.set_stream_metadata("a-2", metadata={"$tb": 3}, current_version=StreamState.ANY)
    else:
        await log.append("a-2", after=2)
        await log.client.set_stream_metadata("a-2", metadata={"$maxCount": 1}, current_version=StreamState.ANY)
    assert await missing_from(log.store, trail, last.position) is None
    await log.scavenge(last)
    assert await missing_from(log.store, trail, last.position) is None


@pytest.mark.parametrize("how", ["deleted", "tombstone", "metadata"])
async def test_what_the_store_writes_about_a_stream_is_no_mark_of_the_log(log: Log, how: str) -> None:
    """It comes with the events of the stream, but stands in another one, and older ones of it are scavenged."""
    await log.append("a-1")
    _, last = await log.append("a-2", events=2)
    if how == "deleted":
        await log.client.delete_stream("a-2", current_version=StreamState.ANY)
    elif how == "tombstone":
        await log.client.tombstone_stream("a-2", current_version=StreamState.ANY)
    else:
        await log.client.set_stream_metadata("a-2", metadata={"$maxCount": 10}, current_version=StreamState.ANY)
    events = [event async for event in log.store.read_all()]
    trail, end = advanced(NO_TRAIL, events), events[-1].position
    assert (last_event(trail), end > last.position) == (last.position, True)
    assert await trail_at(log.store, end) == trail
    assert await missing_from(log.store, trail, end) is None
    if how != "metadata":
        await log.scavenge(events[1])
        assert await missing_from(log.store, trail, end) is None


async def test_an_event_of_a_log_that_is_gone_is_missing(log: Log) -> None:
    *_, last = await log.append("a-1", events=2)
    trail = await trail_over(log)
    await log.node.kill()
    shutil.rmtree(log.folder / "node")
    await restart_node(log.node)
    found = await missing_from(log.store, trail)
    assert found is not None
    assert (found.position, found.event, found.found) == (last.position, last.id, "the log ends before it")
    await log.append("a-1", events=2)  # the same sizes: other events stand at the same positions
    found = await missing_from(log.store, trail)
    assert found is not None
    assert "in its place" in found.found


async def test_a_trail_for_an_old_checkpoint(log: Log) -> None:
    first, *_, last = await log.append("a-1", events=3)
    assert [one.event for one in await trail_at(log.store, last.position)] == [last.id, first.id]
    assert [one.event for one in await trail_at(log.store, last.position + 7)] == [last.id, first.id]
    assert await trail_at(log.store, first.position - 1) == NO_TRAIL
    assert await log.store.end_position() == last.position

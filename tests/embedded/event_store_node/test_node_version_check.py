"""The table of version checks and idempotency: first as a pure decision, then durable, over the wire."""

import asyncio
from dataclasses import dataclass

import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import StreamIsDeleted, WrongCurrentVersion
from node_support import NodeProcess, connected, event, events

from embedded.event_store_node.log import version_check
from embedded.event_store_node.log.events import ANY, DELETED_STREAM_REVISION, NO_STREAM, STREAM_EXISTS
from embedded.event_store_node.log.version_check import AlreadyWritten, Conflict, Deleted, Write

A, B, C, D, E = (bytes([n]) * 16 for n in range(5))
WRITE, CONFLICT, DELETED = Write(), Conflict(), Deleted()


@dataclass
class Stream:
    """A stream holding these ids from revision 0 on; `elsewhere` was last seen in another stream."""

    ids: tuple[bytes, ...] = ()
    elsewhere: tuple[bytes, ...] = ()
    has_metadata: bool = False
    soft_deleted: bool = False
    tombstoned: bool = False

    def check(self, expected: int, ids: tuple[bytes, ...]) -> version_check.Decision:
        last = DELETED_STREAM_REVISION if self.tombstoned else len(self.ids) - 1
        return version_check.check(
            version_check.StreamState(last, self.has_metadata or self.soft_deleted, self.soft_deleted),
            expected,
            ids,
            lambda id_: self.ids.index(id_) if id_ in self.ids and id_ not in self.elsewhere else None,
            lambda first, count: self.ids[first : first + count],
        )


MISSING = Stream()
ONLY_METADATA = Stream(has_metadata=True)
THREE = Stream((A, B, C))
SOFT = Stream((A, B, C), soft_deleted=True)
TOMB = Stream((A,), tombstoned=True)


@pytest.mark.parametrize(
    ("stream", "expected", "ids", "decision"),
    [
        # 1. A tombstone ends everything.
        (TOMB, ANY, (D,), DELETED),
        (TOMB, NO_STREAM, (D,), DELETED),
        (TOMB, STREAM_EXISTS, (D,), DELETED),
        (TOMB, 0, (D,), DELETED),
        (TOMB, DELETED_STREAM_REVISION, (D,), DELETED),
        # 2. stream_exists
        (SOFT, STREAM_EXISTS, (D,), DELETED),
        (MISSING, STREAM_EXISTS, (D,), CONFLICT),
        (ONLY_METADATA, STREAM_EXISTS, (D,), WRITE),
        (THREE, STREAM_EXISTS, (D,), WRITE),
        # 3. any and stream_exists look the ids up
        (MISSING, ANY, (D,), WRITE),
        (THREE, ANY, (D,), WRITE),
        (THREE, ANY, (B,), AlreadyWritten(1)),
        (THREE, ANY, (B, C), AlreadyWritten(2)),
        (THREE, ANY, (A, C), AlreadyWritten(2)),
        (THREE, STREAM_EXISTS, (A, B), AlreadyWritten(1)),
        (THREE, ANY, (D, A), WRITE),
        (THREE, ANY, (C, D), CONFLICT),
        (Stream((A, B), elsewhere=(A,)), ANY, (A,), WRITE),
        (Stream((A, B), elsewhere=(B,)), ANY, (A, B), CONFLICT),
        (SOFT, ANY, (D,), WRITE),
        (SOFT, ANY, (A,), AlreadyWritten(0)),
        (THREE, ANY, (), WRITE),
        # 4. an expected version below the current one compares the ids that follow it
        (THREE, 1, (C,), AlreadyWritten(2)),
        (THREE, 0, (B,), AlreadyWritten(1)),
        (THREE, 0, (B, C), AlreadyWritten(2)),
        (THREE, NO_STREAM, (A, B, C), AlreadyWritten(2)),
        (THREE, NO_STREAM, (A,), AlreadyWritten(0)),
        (THREE, 1, (D,), CONFLICT),
        (THREE, 0, (C,), CONFLICT),
        (THREE, 0, (B, D), CONFLICT),
        (THREE, 1, (C, D), CONFLICT),
        (THREE, NO_STREAM, (D,), CONFLICT),
        (SOFT, NO_STREAM, (D,), WRITE),
        (SOFT, NO_STREAM, (D, E), WRITE),
        (SOFT, NO_STREAM, (A,), AlreadyWritten(0)),
        (SOFT, NO_STREAM, (A, D), CONFLICT),
        (SOFT, 1, (D,), CONFLICT),
        (THREE, 1, (), CONFLICT),
        # 5. above: conflict; equal: write
        (THREE, 3, (D,), CONFLICT),
        (MISSING, 0, (D,), CONFLICT),
        (THREE, 2, (D,), WRITE),
        (THREE, 2, (A,), WRITE),
        (SOFT, 2, (D,), WRITE),
        (MISSING, NO_STREAM, (D,), WRITE),
        (ONLY_METADATA, NO_STREAM, (D,), WRITE),
        (THREE, 2, (), WRITE),
    ],
)
def test_table(stream: Stream, expected: int, ids: tuple[bytes, ...], decision) -> None:
    assert stream.check(expected, ids) == decision


async def test_a_retry_gets_the_first_answer(client: AsyncEventStoreDBClient) -> None:
    new = events(3)
    first = await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=new)
    await client.append_to_stream("s", current_version=2, events=events(2))

    assert await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=new) == first
    assert await client.append_to_stream("s", current_version=StreamState.ANY, events=new) == first
    assert await client.append_to_stream("s", current_version=StreamState.EXISTS, events=new) == first
    assert await client.append_to_stream("s", current_version=0, events=new[1:]) == first
    assert len(await client.get_stream("s")) == 5


async def test_retries_in_the_same_batch_are_recognised(client: AsyncEventStoreDBClient) -> None:
    some, others = events(2), events(2)
    positions = await asyncio.gather(
        *(client.append_to_stream("any", current_version=StreamState.ANY, events=some) for _ in range(10)),
        *(client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=others) for _ in range(10)),
    )

    assert len(set(positions)) == 2
    assert len(await client.get_stream("any")) == 2
    assert len(await client.get_stream("s")) == 2


async def test_half_a_retry_is_a_conflict(client: AsyncEventStoreDBClient) -> None:
    new = events(3)
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=new[:2])

    for version in (StreamState.NO_STREAM, StreamState.ANY):
        with pytest.raises(WrongCurrentVersion):
            await client.append_to_stream("s", current_version=version, events=new)


async def test_an_id_last_seen_in_another_stream_is_new(client: AsyncEventStoreDBClient) -> None:
    one = event()
    for stream in ("a", "b", "a"):
        await client.append_to_stream(stream, current_version=StreamState.ANY, events=[one])

    assert len(await client.get_stream("a")) == 2
    assert len(await client.get_stream("b")) == 1


async def test_a_duplicate_id_at_the_right_version_is_written_again(client: AsyncEventStoreDBClient) -> None:
    one = event()
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[one])
    await client.append_to_stream("s", current_version=0, events=[one])

    assert [e.id for e in await client.get_stream("s")] == [one.id, one.id]


async def test_soft_deleted_streams(client: AsyncEventStoreDBClient) -> None:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(3))
    await client.delete_stream("s", current_version=2)

    with pytest.raises(StreamIsDeleted):
        await client.append_to_stream("s", current_version=StreamState.EXISTS, events=[event()])
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])

    assert [e.stream_position for e in await client.get_stream("s")] == [3]


async def test_metadata_alone_counts_as_existing(client: AsyncEventStoreDBClient) -> None:
    await client.set_stream_metadata("s", metadata={"a": 1})
    await client.append_to_stream("s", current_version=StreamState.EXISTS, events=[event()])

    assert await client.get_current_version("s") == 0


@pytest.mark.parametrize("expected", [StreamState.NO_STREAM, StreamState.ANY])
async def test_retries_are_known_after_a_crash(node_process: NodeProcess, expected: StreamState) -> None:
    new = events(3)
    node_process.start()
    async with connected(node_process.uri) as client:
        first = await client.append_to_stream("s", current_version=expected, events=new)
    node_process.kill()
    node_process.start()
    async with connected(node_process.uri) as client:
        assert await client.append_to_stream("s", current_version=expected, events=new) == first
        assert len(await client.get_stream("s")) == 3

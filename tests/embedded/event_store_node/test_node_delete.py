"""Soft delete, tombstone and stream metadata."""

import json
import time
from typing import Any

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from esdbclient.exceptions import NotFound, StreamIsDeleted, WrongCurrentVersion
from esdbclient.protos.Grpc import streams_pb2
from node_support import EMPTY, event, events, stream_id

from embedded.event_store_node.log import metadata

SOFT_DELETED = 2**63 - 1
Client = AsyncEventStoreDBClient


async def revisions(client: Client, stream: str, **how: Any) -> list[int]:
    return [e.stream_position for e in await client.get_stream(stream, **how)]


@pytest.fixture
async def three(client: Client) -> str:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(3))
    return "s"


# Soft delete


async def test_a_soft_deleted_stream_is_not_found_until_it_is_written_again(client: Client, three: str) -> None:
    await client.delete_stream(three, current_version=2)

    with pytest.raises(NotFound):
        await client.get_stream(three)
    assert await client.get_stream_metadata(three) == ({"$tb": SOFT_DELETED}, 0)
    await client.append_to_stream(three, current_version=2, events=events(2))
    assert await revisions(client, three) == [3, 4]
    assert await client.get_stream_metadata(three) == ({"$tb": 3}, 1)


async def test_a_soft_delete_drops_earlier_metadata(client: Client, three: str) -> None:
    await client.set_stream_metadata(three, metadata={"a": 1, "$maxCount": 2})
    await client.delete_stream(three, current_version=StreamState.ANY)

    assert (await client.get_stream_metadata(three))[0] == {"$tb": SOFT_DELETED}


async def test_metadata_written_to_a_soft_deleted_stream_recreates_it(client: Client, three: str) -> None:
    await client.delete_stream(three, current_version=2)
    await client.set_stream_metadata(three, metadata={"a": 1, "$tb": SOFT_DELETED}, current_version=0)

    assert await client.get_stream_metadata(three) == ({"a": 1, "$tb": 3}, 2)
    assert await revisions(client, three) == []


@pytest.mark.parametrize("expected", [StreamState.ANY, 2])
async def test_deleting_again_succeeds(client: Client, three: str, expected: Any) -> None:
    for _ in range(3):
        await client.delete_stream(three, current_version=expected)


async def test_deleting_again_while_it_must_exist_is_refused(client: Client, three: str) -> None:
    await client.delete_stream(three, current_version=StreamState.EXISTS)

    with pytest.raises(StreamIsDeleted):
        await client.delete_stream(three, current_version=StreamState.EXISTS)


@pytest.mark.parametrize("expected", [StreamState.ANY, StreamState.NO_STREAM, StreamState.EXISTS, 0])
async def test_what_never_was_cannot_be_deleted(client: Client, expected: Any) -> None:
    with pytest.raises(NotFound):
        await client.delete_stream("never", current_version=expected)


async def test_deleting_at_a_wrong_version_tells_both_versions(stub, client: Client, three: str) -> None:
    options = streams_pb2.DeleteReq.Options(stream_identifier=stream_id(three), revision=7)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub.Delete(streams_pb2.DeleteReq(options=options))

    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.value.details() == (
        "Delete failed due to WrongExpectedVersion. Stream: s, Expected version: 7, Actual version: 2"
    )
    trailers = dict(tuple(refusal.value.trailing_metadata()))
    assert trailers["exception"] == "wrong-expected-version"
    assert (trailers["expected-version"], trailers["actual-version"]) == ("7", "2")
    with pytest.raises(WrongCurrentVersion):
        await client.delete_stream(three, current_version=1)


async def test_a_delete_answers_with_its_position(stub, client: Client, three: str) -> None:
    options = streams_pb2.DeleteReq.Options(stream_identifier=stream_id(three), any=EMPTY)
    response = await stub.Delete(streams_pb2.DeleteReq(options=options))

    logged = [e async for e in await client.read_all(filter_exclude=())]
    assert response.position.commit_position == logged[-1].commit_position
    assert (logged[-1].type, logged[-1].stream_name) == ("$metadata", "$$s")


# Tombstone


async def test_a_tombstone_ends_a_stream_for_good(stub, client: Client, three: str) -> None:
    options = streams_pb2.TombstoneReq.Options(stream_identifier=stream_id(three), revision=2)
    response = await stub.Tombstone(streams_pb2.TombstoneReq(options=options))

    last = [e async for e in await client.read_all(filter_exclude=())][-1]
    assert (last.type, last.stream_position) == ("$streamDeleted", 2**63 - 1)
    assert response.position.commit_position == last.commit_position
    with pytest.raises(StreamIsDeleted):
        await client.get_stream(three)
    with pytest.raises(StreamIsDeleted):
        await client.get_stream(three, backwards=True)
    for state in (*StreamState, 2):
        with pytest.raises(StreamIsDeleted):
            await client.append_to_stream(three, current_version=state, events=[event()])
        with pytest.raises(StreamIsDeleted):
            await client.delete_stream(three, current_version=state)
        with pytest.raises(StreamIsDeleted):
            await client.tombstone_stream(three, current_version=state)


async def test_the_metadata_of_a_tombstoned_stream_can_be_written_but_not_read(client: Client, three: str) -> None:
    await client.set_stream_metadata(three, metadata={"a": 1})
    await client.tombstone_stream(three, current_version=StreamState.ANY)

    with pytest.raises(StreamIsDeleted):
        await client.get_stream_metadata(three)
    await client.set_stream_metadata(three, metadata={"a": 2}, current_version=0)
    with pytest.raises(StreamIsDeleted):
        await client.get_stream_metadata(three)


async def test_a_missing_stream_can_be_tombstoned_at_any_version_only(client: Client) -> None:
    with pytest.raises(NotFound):
        await client.tombstone_stream("never", current_version=StreamState.EXISTS)
    await client.tombstone_stream("never", current_version=StreamState.ANY)
    with pytest.raises(StreamIsDeleted):
        await client.append_to_stream("never", current_version=StreamState.NO_STREAM, events=[event()])


# Metadata


async def test_the_last_metadata_wins_and_revisions_go_on(client: Client, three: str) -> None:
    for n in range(3):
        await client.set_stream_metadata(
            three, metadata={"n": n}, current_version=n - 1 if n else StreamState.NO_STREAM
        )

    assert await client.get_stream_metadata(three) == ({"n": 2}, 2)
    assert await revisions(client, "$$" + three) == [2]
    with pytest.raises(WrongCurrentVersion):
        await client.set_stream_metadata(three, metadata={}, current_version=7)


@pytest.mark.parametrize(
    ("document", "readable"),
    [
        ({"$maxCount": 2}, [3, 4]),
        ({"$maxCount": 9}, [0, 1, 2, 3, 4]),
        ({"$tb": 3}, [3, 4]),
        ({"$tb": 99}, []),
        ({"$tb": 1, "$maxCount": 2}, [3, 4]),
        ({"$tb": 4, "$maxCount": 2}, [4]),
        ({"$maxAge": 3600}, [0, 1, 2, 3, 4]),
        ({"$maxCount": 0}, [0, 1, 2, 3, 4]),
        ({"$maxCount": -1, "$tb": -2, "$maxAge": -3}, [0, 1, 2, 3, 4]),
        ({"$maxCount": "2", "$tb": 1.5, "$maxAge": True}, [0, 1, 2, 3, 4]),
        ({"$maxCount": 2**70}, [0, 1, 2, 3, 4]),
        ({"$acl": {"$r": "nobody"}, "$cacheControl": 5}, [0, 1, 2, 3, 4]),
    ],
    ids=json.dumps,
)
async def test_what_metadata_leaves_readable(client: Client, document: dict[str, Any], readable: list[int]) -> None:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(5))
    await client.set_stream_metadata("s", metadata=document)

    assert await revisions(client, "s") == readable
    assert await revisions(client, "s", backwards=True) == readable[::-1]
    assert await revisions(client, "s", stream_position=1) == [n for n in readable if n >= 1]
    assert await revisions(client, "s", stream_position=3, backwards=True) == [n for n in readable[::-1] if n <= 3]
    assert await revisions(client, "s", limit=1) == readable[:1]


async def test_expired_events_are_not_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from embedded.event_store_node.log import log, reader

    now = time.time_ns() // 10**9 + 60
    clock = type("Clock", (), {"time_ns": staticmethod(lambda: now * 1_000_000_000), "monotonic": staticmethod(float)})
    monkeypatch.setattr(reader, "time", clock)
    monkeypatch.setattr(log, "time", clock)
    await client.set_stream_metadata("s", metadata={"$maxAge": 10})
    for n in range(6):
        now += 4
        await client.append_to_stream("s", current_version=StreamState.ANY, events=[event(data=b"%d" % n)])

    assert await revisions(client, "s") == [3, 4, 5]
    assert await revisions(client, "s", backwards=True) == [5, 4, 3]
    now += 100
    assert await revisions(client, "s") == []
    assert len([e async for e in await client.read_all()]) == 6


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[1]", b'{"$tb": 2', b"[" * 100_000])
async def test_metadata_that_is_no_json_object_is_ignored(client: Client, three: str, data: bytes) -> None:
    await client.append_to_stream("$$" + three, current_version=StreamState.ANY, events=[event("$metadata", data)])

    assert await revisions(client, three) == [0, 1, 2]


async def test_metadata_that_is_not_json_by_its_content_type_is_ignored(client: Client, three: str) -> None:
    binary = event("$metadata", b'{"$tb": 2}', content_type="application/octet-stream")
    await client.append_to_stream("$$" + three, current_version=StreamState.ANY, events=[binary])

    assert await revisions(client, three) == [0, 1, 2]


async def test_all_keeps_what_metadata_hides(client: Client, three: str) -> None:
    await client.set_stream_metadata(three, metadata={"$maxCount": 1})
    await client.delete_stream(three, current_version=StreamState.ANY)

    logged = [(e.stream_name, e.stream_position) async for e in await client.read_all(filter_exclude=())]
    assert logged == [("$$$scavenges", 0), ("s", 0), ("s", 1), ("s", 2), ("$$s", 0), ("$$s", 1)]


async def test_metadata_that_utf8_cannot_say_is_kept_escaped(client: Client) -> None:
    data = b'{"x":"\\ud800","$tb":9223372036854775807}'
    await client.append_to_stream("$$s", current_version=StreamState.ANY, events=[event("$metadata", data)])
    await client.append_to_stream("s", current_version=StreamState.ANY, events=[event()])

    (metadata_event,) = await client.get_stream("$$s")
    assert json.loads(metadata_event.data) == {"x": "\ud800", "$tb": 0}


def test_recreated_metadata_keeps_other_keys() -> None:
    assert metadata.recreated(b'{"a": "\xc3\xa9", "$tb": 9}', 4) == b'{"a":"\xc3\xa9","$tb":4}'
    assert metadata.recreated(b"[]", 4) is None
    assert metadata.recreated(b'{"a":"\\ud800"}', 4) == b'{"a":"\\ud800","$tb":4}'

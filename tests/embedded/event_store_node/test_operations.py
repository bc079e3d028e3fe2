"""The Operations service: shutdown, what a single node has nothing to do for, and scavenges as clients see them."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from node_support import NodeProcess, connected, event, events, until
from operations_support import IN_PROGRESS, STARTED, STOPPED, Operations, completion, log, names, read

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.main import main
from embedded.event_store_node.scavenge import retention
from embedded.event_store_node.services import protobuf_messages

ANY = StreamState.ANY
TOMBSTONE = 2**63 - 1


@pytest.fixture
async def operations(node: EventStoreNode) -> AsyncIterator[Operations]:
    async with Operations(f"{node.host}:{node.port}") as operations:
        yield operations


async def test_shutdown(node_process: NodeProcess) -> None:
    node_process.start()
    async with Operations(f"127.0.0.1:{node_process.port}") as operations:
        assert await operations.call("Shutdown") == b""
    assert node_process.process is not None
    _, errors = await asyncio.to_thread(node_process.process.communicate, timeout=10)
    assert (node_process.process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("MergeIndexes", b""),
        ("ResignNode", b""),
        ("SetNodePriority", b"\x08\x05"),
        ("RestartPersistentSubscriptions", b""),
    ],
)
async def test_what_a_single_node_has_nothing_to_do_for(
    operations: Operations, client: AsyncEventStoreDBClient, method: str, request_: bytes
) -> None:
    assert await operations.call(method, request_) == b""
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=[event()])


def test_the_messages_on_the_wire() -> None:
    """Against bytes written by hand after the protocol's own files: a wrong field number shows here."""
    started = protobuf_messages.StartScavengeReq.FromString(b"\x0a\x04\x08\x02\x10\x03")
    assert (started.options.thread_count, started.options.start_from_chunk) == (2, 3)
    assert protobuf_messages.StopScavengeReq.FromString(b"\x0a\x03\x0a\x01i").options.scavenge_id == "i"
    answer = protobuf_messages.ScavengeResp(scavenge_id="i", scavenge_result=protobuf_messages.SCAVENGE_STOPPED)
    assert answer.SerializeToString() == b"\x0a\x01i\x10\x02"
    assert protobuf_messages.SetNodePriorityReq.FromString(b"\x08\x07").priority == 7


# Starting and stopping


async def test_one_scavenge_at_a_time(operations: Operations, client: AsyncEventStoreDBClient) -> None:
    answers = await asyncio.gather(operations.start(), operations.start())

    assert sorted(answer.scavenge_result for answer in answers) == [STARTED, IN_PROGRESS]
    assert answers[0].scavenge_id == answers[1].scavenge_id
    assert (await completion(client, answers[0].scavenge_id))["result"] == "Success"


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_scavenge_is_stopped(
    node: EventStoreNode, operations: Operations, client: AsyncEventStoreDBClient, by_id: bool
) -> None:
    gate = threading.Event()
    held_up = node._log.writer.perform(lambda _: gate.wait())
    started = await operations.start()
    stopping = asyncio.create_task(operations.stop(started.scavenge_id if by_id else "current"))

    async def has_arrived() -> bool:
        return node._services.scavenger._stopping.is_set()

    await until(has_arrived)
    assert not stopping.done()
    gate.set()
    await held_up
    stopped = await stopping
    assert (stopped.scavenge_id, stopped.scavenge_result) == (started.scavenge_id, STOPPED)
    assert (await completion(client, started.scavenge_id))["result"] == "Stopped"
    assert (await operations.scavenge(client))["result"] == "Success"


async def test_an_unknown_scavenge(operations: Operations) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await operations.stop("unknown")

    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert refusal.value.details() == "Scavenge id was invalid."
    assert ("exception", "scavenge-not-found") in tuple(refusal.value.trailing_metadata() or ())


async def test_scavenges_are_written_down(operations: Operations, client: AsyncEventStoreDBClient) -> None:
    await client.append_to_stream("s", current_version=ANY, events=events(10))
    await client.set_stream_metadata("s", metadata={"$maxCount": 1})
    document = await operations.scavenge(client)

    assert document["result"] == "Success"
    assert document["spaceSaved"] > 9 * 50
    history = await client.get_stream("$scavenges", resolve_links=True)
    assert [e.type for e in history] == ["$scavengeStarted", "$scavengeCompleted"]
    assert {json.loads(e.data)["scavengeId"] for e in history} == {document["scavengeId"]}


# What is removed, and what is not


async def test_what_cannot_be_read_is_removed(operations: Operations, client: AsyncEventStoreDBClient) -> None:
    for stream in ("plain", "counted", "truncated", "deleted", "tombstoned", "recreated"):
        await client.append_to_stream(stream, current_version=ANY, events=events(4))
    await client.set_stream_metadata("counted", metadata={"$maxCount": 4})
    await client.set_stream_metadata("counted", metadata={"$maxCount": 2})
    await client.set_stream_metadata("truncated", metadata={"$tb": 3})
    await client.delete_stream("deleted", current_version=ANY)
    await client.tombstone_stream("tombstoned", current_version=ANY)
    await client.delete_stream("recreated", current_version=ANY)
    await client.append_to_stream("recreated", current_version=ANY, events=events(2))
    assert (await operations.scavenge(client))["result"] == "Success"

    assert sorted(names(await log(client))) == sorted(
        [
            *(f"{n}@plain" for n in range(4)),
            *("2@counted", "3@counted", "1@$$counted"),
            *("3@truncated", "0@$$truncated"),
            *("3@deleted", "0@$$deleted"),
            f"{TOMBSTONE}@tombstoned",
            *("4@recreated", "5@recreated", "1@$$recreated"),
        ]
    )
    assert await read(client, "deleted") == await read(client, "tombstoned") == ()
    assert len(await read(client, "recreated")) == 2


async def test_the_metadata_of_a_tombstoned_stream_is_removed_as_a_whole(tmp_path: Path) -> None:
    async with (
        EventStoreNode(tmp_path) as node,
        connected(node.uri) as client,
        Operations(f"{node.host}:{node.port}") as operations,
    ):
        await client.append_to_stream("s", current_version=ANY, events=events(2))
        for _ in range(3):
            await client.set_stream_metadata("s", metadata={"$maxCount": 5})
        await client.set_stream_metadata("t", metadata={})
        for stream in ("s", "t"):
            await client.tombstone_stream(stream, current_version=ANY)
        await operations.scavenge(client)
        kept = names(await log(client))
        assert sorted(kept) == [f"{TOMBSTONE}@s", f"{TOMBSTONE}@t"]
        # It may be written to again, and begins anew.
        await client.append_to_stream("$$s", current_version=StreamState.NO_STREAM, events=[event("$metadata")])
        assert names(await log(client))[-1] == "0@$$s"
    assert main(["verify", "--data-dir", str(tmp_path)]) == 0
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
        await client.append_to_stream("$$s", current_version=0, events=[event("$metadata")])
        await client.append_to_stream("$$t", current_version=StreamState.NO_STREAM, events=[event("$metadata")])
        assert names(await log(client))[-2:] == ["1@$$s", "0@$$t"]


async def test_expired_events_are_removed(operations: Operations, client: AsyncEventStoreDBClient) -> None:
    await client.append_to_stream("old", current_version=ANY, events=events(3))
    await client.set_stream_metadata("old", metadata={"$maxAge": 1})
    await client.append_to_stream("young", current_version=ANY, events=events(3))
    await client.set_stream_metadata("young", metadata={"$maxAge": 1000})

    async def has_expired() -> bool:
        return not await read(client, "old")

    await until(has_expired)
    await operations.scavenge(client)

    kept = names(await log(client))
    assert [name for name in kept if name.endswith("@old")] == ["2@old"]
    assert [name for name in kept if name.endswith("@young")] == ["0@young", "1@young", "2@young"]
    await client.append_to_stream("old", current_version=2, events=events(2))
    assert names(list(await read(client, "old"))) == ["3@old", "4@old"]


async def test_revisions_and_positions_go_on(tmp_path: Path) -> None:
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
        await client.append_to_stream("deleted", current_version=ANY, events=events(4))
        await client.delete_stream("deleted", current_version=ANY)
        async with Operations(f"{node.host}:{node.port}") as operations:
            await operations.scavenge(client)
        position = await client.get_commit_position(filter_exclude=())
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
        assert await client.append_to_stream("deleted", current_version=3, events=events(1)) > position
        assert names(list(await read(client, "deleted"))) == ["4@deleted"]


async def test_space_is_given_back(tmp_path: Path) -> None:
    async with EventStoreNode(tmp_path) as node, connected(node.uri) as client:
        for n in range(30):
            big = [event(data=bytes(100_000)) for _ in range(5)]
            await client.append_to_stream(f"s-{n % 3}", current_version=ANY, events=big)
        for n in range(3):
            await client.delete_stream(f"s-{n}", current_version=ANY)
        async with Operations(f"{node.host}:{node.port}") as operations:
            document = await operations.scavenge(client)
        assert document["spaceSaved"] > 14_500_000
    assert (tmp_path / "events.db").stat().st_size < 1_500_000


async def test_writers_and_readers_go_on_meanwhile(operations: Operations, client: AsyncEventStoreDBClient) -> None:
    for n in range(20):
        await client.append_to_stream(f"rest-{n}", current_version=ANY, events=events(100))
        await client.set_stream_metadata(f"rest-{n}", metadata={"$maxCount": 10})
    started = await operations.start()
    written = 0
    ends = asyncio.create_task(completion(client, started.scavenge_id))
    while not ends.done() or written < 20:
        await client.append_to_stream("new", current_version=written - 1 if written else ANY, events=[event()])
        written += 1
        assert names(list(await read(client, "rest-7"))) == [f"{n}@rest-7" for n in range(90, 100)]

    assert (await ends)["result"] == "Success"
    assert len(await read(client, "new")) == written
    assert len([e for e in await log(client) if e.stream_name.startswith("rest-")]) == 200


async def test_a_scavenge_whose_end_cannot_be_written_down_blocks_no_other(
    operations: Operations, client: AsyncEventStoreDBClient, node: EventStoreNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise OSError("for this test")

    with monkeypatch.context() as patch:
        patch.setattr(node._services.scavenger._history, "completed", fails)
        await operations.start()
        assert node._services.scavenger._task is not None
        await asyncio.wait([node._services.scavenger._task])
    assert (await operations.scavenge(client))["result"] == "Success"


async def test_a_scavenge_with_nothing_to_remove_can_be_stopped(
    operations: Operations, client: AsyncEventStoreDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many streams are looked through in vain: here they never end."""
    monkeypatch.setattr(retention, "candidates", lambda *_: retention.CandidatePage([], 0, is_end=False))
    scavenge_id = (await operations.start()).scavenge_id
    assert (await operations.stop(scavenge_id)).scavenge_result == STOPPED
    assert (await completion(client, scavenge_id))["result"] == "Stopped"

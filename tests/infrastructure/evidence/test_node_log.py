"""The log of a real node whose file somebody changes on disk, so well that the node itself sees nothing wrong."""

import asyncio
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, StreamState
from msgspec.structs import replace

from command_api.aggregates import Aggregates
from command_api.headers import command_headers
from command_api.pipeline import Pipeline
from command_api.requests import command_request
from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log.records import RecordedEvent
from embedded.event_store_node.services import protobuf_messages
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent, StoredEvent
from infrastructure.evidence.checkpointing import extend, newest_checkpoint
from infrastructure.evidence.entries import stream_of
from infrastructure.evidence.findings import Contradiction
from infrastructure.evidence.proofs import proof_of
from infrastructure.evidence.signing import Signer
from infrastructure.evidence.tiles import Tiles
from infrastructure.evidence.tree import Tree
from infrastructure.evidence.verification import Anchor, Report, verify
from infrastructure.evidence.verifier import check_proof
from infrastructure.telemetry import TraceContext
from tests.infrastructure.evidence.auditable_log import relinked
from tests.support.metered_service import METERED
from tests.support.services import until
from tests.support.tiny.lamp import InstallLamp, SwitchLampOff, SwitchLampOn
from tests.support.tiny.meter import InstallMeter, ReadMeter

SIGNER = Signer.new("shop.example/log")
TYPES = {type_.struct: (aggregate, type_) for aggregate in METERED.aggregates for type_ in aggregate.commands}
LAMPS = ("l-1", "l-2", "l-3")

Change = Callable[[sqlite3.Connection], None]


async def write(store: EventStore) -> None:
    """Commands of three lamps, in turns, and of a meter whose stream gets snapshots."""
    codec = EventCodec(METERED.aggregates)
    aggregates = Aggregates(store, codec, 100)
    pipeline = Pipeline(store, codec, aggregates, 5)
    commands = [
        (lamp, command) for command in (InstallLamp("hall", 60), SwitchLampOn(), SwitchLampOff()) for lamp in LAMPS
    ]
    commands += [("m-1", InstallMeter()), *(("m-1", ReadMeter(value)) for value in range(20))]
    for aggregate_id, command in commands:
        aggregate, command_type = TYPES[type(command)]
        request = command_request(command_type, aggregate_id, command, command_headers([]), TraceContext())
        await pipeline.handle(aggregate, command_type, request)
    await aggregates.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of a node's log and of its tree."""
    folder = tmp_path_factory.mktemp("evidence")

    async def run() -> None:
        async with EventStoreNode(folder / "node") as node:
            store = EventStore(node.uri)
            await write(store)
            await extend(store, Tiles(folder / "tree"), SIGNER)
            await store.close()

    asyncio.run(run())
    return folder / "node", folder / "tree"


async def report_of(node_folder: Path, tree: Path, *, with_tree: bool = True) -> Report:
    """What is found in the log of a node that starts on the folder."""
    async with EventStoreNode(node_folder) as node:
        store = EventStore(node.uri)
        try:
            tiles = Tiles(tree)
            kept = newest_checkpoint(tiles, SIGNER.verifier)
            return await verify(store, Tree(tiles, kept.size) if with_tree else None, [Anchor("kept", kept)])
        finally:
            await store.close()


def changed(written: tuple[Path, Path], folder: Path, change: Change) -> tuple[Path, Path]:
    """A copy of the node's folder in which the file was changed."""
    shutil.copytree(written[0], folder / "node")
    connection = sqlite3.connect(folder / "node" / "events.db")
    with connection:
        change(connection)
    connection.close()
    return folder / "node", written[1]


def _row(connection: sqlite3.Connection, stream: str, revision: int) -> tuple[int, bytes]:
    position, record = connection.execute(
        "SELECT position, record FROM event WHERE revision = ? AND stream = (SELECT id FROM stream WHERE name = ?)",
        (revision, stream),
    ).fetchone()
    return position, record


def alter(connection: sqlite3.Connection) -> None:
    position, record = _row(connection, "lamp-l-2", 1)
    message = RecordedEvent.FromString(record)
    message.data = message.data.replace(b"l-2", b"l-9")
    connection.execute("UPDATE event SET record = ? WHERE position = ?", (message.SerializeToString(), position))


def remove(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM event WHERE position = ?", (_row(connection, "lamp-l-2", 1)[0],))


def insert(connection: sqlite3.Connection) -> None:
    position, record = _row(connection, "lamp-l-2", 1)
    message = RecordedEvent.FromString(record)
    message.id.string = str(uuid.uuid4())
    message.stream_identifier.stream_name = b"lamp-l-8"
    message.stream_revision = 0
    message.commit_position = message.prepare_position = position + 1
    stream = connection.execute("INSERT INTO stream (name) VALUES ('lamp-l-8') RETURNING id").fetchone()[0]
    connection.execute(
        "INSERT INTO event (position, stream, revision, id, type, created, in_all, record)"
        " SELECT ?, ?, 0, ?, type, created, 1, ? FROM event WHERE position = ?",
        (position + 1, stream, uuid.UUID(message.id.string).bytes, message.SerializeToString(), position),
    )


def move(connection: sqlite3.Connection) -> None:
    rows = [_row(connection, lamp, 1) for lamp in ("lamp-l-2", "lamp-l-3")]
    for step in (10**12, 0):  # positions are unique, so by way of others
        for (source, record), (target, _) in zip(rows, rows[::-1], strict=True):
            message = RecordedEvent.FromString(record)
            message.commit_position = message.prepare_position = target
            where = source if step else target + 10**12
            connection.execute(
                "UPDATE event SET position = ?, record = ? WHERE position = ?",
                (target + step, message.SerializeToString(), where),
            )


@pytest.mark.parametrize(
    ("change", "kind", "stream", "revision"),
    [
        (alter, "altered", "lamp-l-2", 1),
        (remove, "removed", "lamp-l-2", 1),
        (insert, "inserted", "lamp-l-8", 0),
        (move, "moved", "lamp-l-2", 1),
    ],
)
async def test_what_is_changed_in_the_nodes_file_is_named(
    written, change, kind, stream, revision, tmp_path: Path
) -> None:
    finding = (await report_of(*changed(written, tmp_path, change))).finding
    assert finding is not None
    assert (finding.kind, finding.stream, finding.revision) == (kind, stream, revision)


async def test_an_untouched_log_is_clean_and_proves_its_events(written) -> None:
    node_folder, tree = written
    report = await report_of(node_folder, tree)
    assert (report.finding, report.linked, report.gone) == (None, 30, {})
    async with EventStoreNode(node_folder) as node:
        store, tiles = EventStore(node.uri), Tiles(tree)
        note = tiles.checkpoint()
        assert note is not None
        events = await store.read_stream("lamp-l-2")
        size = newest_checkpoint(tiles, SIGNER.verifier).size
        proof = check_proof(proof_of(events, Tree(tiles, size), note, SIGNER.verifier), SIGNER.verifier)
        assert (proof.stream, proof.revisions, proof.unlinked) == ("lamp-l-2", (0, 2), 0)
        await store.close()


@pytest.mark.parametrize("with_tree", [True, False])
async def test_a_log_that_was_written_anew_by_the_nodes_own_writer_is_found(
    written, with_tree: bool, tmp_path: Path
) -> None:
    node_folder, tree = written
    async with EventStoreNode(node_folder) as node:
        store = EventStore(node.uri)
        events = [event async for event in store.read_all()]
        await store.close()
    forged = [replace(event, data=event.data.replace(b'"watts":60', b'"watts":40')) for event in events]
    await _written_anew(forged, tmp_path / "node")
    finding = (await report_of(tmp_path / "node", tree, with_tree=with_tree)).finding
    assert finding is not None
    if with_tree:
        assert (finding.kind, finding.stream, finding.revision) == ("altered", "lamp-l-1", 0)
    else:
        assert finding.kind == "rewritten"
    async with EventStoreNode(tmp_path / "node") as node:
        store = EventStore(node.uri)
        assert (await verify(store, None, ())).finding is None  # its chains are whole
        shutil.copytree(tree, tmp_path / "tree")
        with pytest.raises(Contradiction):
            await extend(store, Tiles(tmp_path / "tree"), SIGNER)
        await store.close()


async def _written_anew(events: list[StoredEvent], folder: Path) -> None:
    async with EventStoreNode(folder) as node:
        store = EventStore(node.uri)
        chained = iter(relinked([event for event in events if not event.is_of_the_store]))
        for event in events:
            stream = stream_of(event)
            one = event if event.is_of_the_store else next(chained)
            new = NewEvent(one.id, one.type, one.data, one.metadata)
            await store.append(stream, event.revision - 1 if event.revision else NO_STREAM, [new])
        await store.close()


async def test_after_deletions_and_a_scavenge_what_is_left_is_verified(written, tmp_path: Path) -> None:
    shutil.copytree(written[0], tmp_path / "node")
    shutil.copytree(written[1], tmp_path / "tree")
    tiles = Tiles(tmp_path / "tree")
    async with EventStoreNode(tmp_path / "node") as node:
        store, client = EventStore(node.uri), AsyncEventStoreDBClient(node.uri)
        await client.connect()
        await client.tombstone_stream("lamp-l-1", current_version=StreamState.ANY)
        await client.delete_stream("lamp-l-2", current_version=StreamState.ANY)
        await client.set_stream_metadata("meter-m-1", metadata={"$tb": 5}, current_version=StreamState.ANY)
        await write_again(store)
        before = (await extend(store, tiles, SIGNER))[1]
        await scavenge(node, store)
        report = await verify(store, Tree(tiles, before.size), [Anchor("kept", before)])
        await client.close()
        assert report.finding is None
        gone = {stream: (one.first_revision, one.last_revision) for stream, one in report.gone.items()}
        assert gone["lamp-l-1"] == (0, 2)
        assert gone["lamp-l-2"] == (0, 2)
        assert gone["meter-m-1"] == (0, 4)
        assert gone["meter_snapshot-m-1"] == (0, 1)  # its companion keeps three
        assert (await extend(store, tiles, SIGNER))[1].size == before.size
        await store.close()


async def write_again(store: EventStore) -> None:
    """A lamp that was deleted is installed again, on a stream that goes on with its numbers."""
    codec = EventCodec(METERED.aggregates)
    pipeline = Pipeline(store, codec, Aggregates(store, codec, 100), 5)
    for command in (InstallLamp("cellar", 40), SwitchLampOn()):
        aggregate, command_type = TYPES[type(command)]
        request = command_request(command_type, "l-2", command, command_headers([]), TraceContext())
        result = await pipeline.handle(aggregate, command_type, request)
    assert result.revision == 4


async def scavenge(node: EventStoreNode, store: EventStore) -> None:
    method = "/event_store.client.operations.Operations/StartScavenge"
    async with grpc.aio.insecure_channel(f"{node.host}:{node.port}") as channel:
        call = channel.unary_unary(method, response_deserializer=protobuf_messages.ScavengeResp.FromString)
        answer = await call(b"\x0a\x02\x08\x01")

    async def is_complete() -> bool:
        history = await store.read_stream(f"$scavenges-{answer.scavenge_id}")
        return any(one.type == "$scavengeCompleted" for one in history)

    await until(is_complete, "the scavenge is complete", 60)

"""The log itself: batches, failures of the storage, bounded memory."""

import sqlite3
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest
from esdbclient import AsyncEventStoreDBClient, NewEvent, StreamState
from esdbclient.exceptions import ServiceUnavailable, UnknownError
from esdbclient.protos.Grpc import streams_pb2
from grpc import StatusCode
from node_support import event, events, first_position, messages, read_options

from embedded.event_store_node import EventStoreNode
from embedded.event_store_node.log import stream_heads
from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.events import ANY, NO_STREAM, ProposedEvent
from embedded.event_store_node.log.log import Log
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.log.writes import Appended, DeadlinePassed, Kind, WriteRequest, WrongVersion


def write(stream: str, count: int = 1, expected: int = ANY, deadline: float | None = None) -> WriteRequest:
    new = [ProposedEvent(uuid4().bytes, "T", "application/json", b"", b"{}") for _ in range(count)]
    return WriteRequest(Kind.APPEND, stream, expected, new, lambda outcome: None, deadline)


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database(None)
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[sqlite3.Connection]:
    connection = database.connect(cache_mib=1)
    yield connection
    connection.close()


def test_a_batch_is_decided_in_order_with_its_own_writes_in_view(connection: sqlite3.Connection) -> None:
    first, second = write("s", 2, NO_STREAM), write("s", 1, 1)
    outcomes, logged = Log(connection).write([first, second, first, write("s", 1, 0), write("t", 3)])

    assert [type(outcome) for outcome in outcomes] == [Appended, Appended, Appended, WrongVersion, Appended]
    assert outcomes[2] == outcomes[0]
    assert outcomes[3] == WrongVersion(2)
    assert [(e.stream, e.revision) for e in logged] == [
        *(("s", n) for n in range(3)),
        *(("t", n) for n in range(3)),
    ]
    assert [e.position for e in logged] == sorted({e.position for e in logged})


def test_a_write_whose_deadline_passed_is_not_written(connection: sqlite3.Connection) -> None:
    outcomes, logged = Log(connection).write([write("s", deadline=time.monotonic() - 1)])

    assert outcomes == [DeadlinePassed()]
    assert logged == []


def test_a_reopened_log_goes_on_where_it_ended(connection: sqlite3.Connection) -> None:
    _, before = Log(connection).write([write("s", 3), write("t", 3)])
    _, after = Log(connection).write([write("s", 1), write("u", 1)])

    assert [(e.stream, e.revision) for e in after] == [("s", 3), ("u", 0)]
    assert after[0].position == before[-1].position + len(before[-1].record)


def test_times_never_decrease(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(connection)
    now = 10**19
    monkeypatch.setattr(time, "time_ns", lambda: now)
    log.write([write("s")])
    now -= 10**12
    log.write([write("s")])
    Log(connection).write([write("s")])

    created = [row[0] for row in connection.execute("SELECT created FROM event WHERE type = 'T'")]
    assert created == [10**17] * 3


def test_large_batches_of_every_size(connection: sqlite3.Connection) -> None:
    log = Log(connection)
    for size in (1, 2, 3, 127, 128, 129, 1000):
        log.write([write(f"s-{size}-{n}", 2) for n in range(size)])

    count, streams = connection.execute(
        "SELECT count(*), count(DISTINCT stream) FROM event WHERE type = 'T'"
    ).fetchone()
    assert (count, streams) == (2 * 1390, 1390)


def test_remembered_stream_heads_are_bounded(connection: sqlite3.Connection) -> None:
    log = Log(connection)
    log._heads = stream_heads.StreamHeads(connection, capacity=10)
    for n in range(50):
        log.write([write(f"s-{n}")])
    assert len(log._heads._heads) <= 10

    outcomes, _ = log.write([write(f"s-{n}", 1, 0) for n in range(50)])
    assert all(isinstance(outcome, Appended) and outcome.revision == 1 for outcome in outcomes)


class FlakyConnection:
    """A connection on which one kind of statement fails, as often as it is told to."""

    def __init__(self, connection: sqlite3.Connection, statement: str, failures: int) -> None:
        self._connection = connection
        self._statement = statement
        self.failures = failures

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql.startswith(self._statement) and self.failures > 0:
            self.failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, parameters)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT INTO event", "INSERT INTO stream", "COMMIT"])
def test_a_failed_batch_leaves_nothing(connection: sqlite3.Connection, statement: str) -> None:
    flaky = FlakyConnection(connection, statement, 1)
    log = Log(flaky)  # type: ignore[arg-type]
    batch = [write("s", 2, NO_STREAM), write("t", 1)]

    with pytest.raises(sqlite3.OperationalError):
        log.write(batch)
    assert Reader(connection).last_position() < first_position()

    outcomes, logged = log.write(batch)
    assert outcomes[0] == Appended(1, logged[1].position)
    assert logged[0].position == first_position()


def test_a_log_that_cannot_even_roll_back_recovers_later(connection: sqlite3.Connection) -> None:
    flaky = FlakyConnection(connection, "", 0)
    log = Log(flaky)  # type: ignore[arg-type]
    log.write([write("s")])
    flaky.failures = 3

    for _ in range(3):
        with pytest.raises(sqlite3.OperationalError):
            log.write([write("s")])
    outcomes, _ = log.write([write("s", 1, 0)])

    assert isinstance(outcomes[0], Appended)


def large() -> NewEvent:
    return event(data=b"x" * 9000)


async def test_a_full_disk_fails_appends_cleanly_and_is_recovered_from(
    node: EventStoreNode, client: AsyncEventStoreDBClient
) -> None:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(3))
    storage = node._log.writer._log._connection
    (pages,) = storage.execute("PRAGMA page_count").fetchone()
    storage.execute(f"PRAGMA max_page_count = {pages + 5}")

    async def fill() -> None:
        for _ in range(20):
            await client.append_to_stream("s", current_version=StreamState.ANY, events=[large()])

    with pytest.raises(UnknownError):
        await fill()
    with pytest.raises(ServiceUnavailable):
        await client.tombstone_stream("t" * 200_000, current_version=StreamState.ANY)
    before = await client.get_stream("s")

    storage.execute("PRAGMA max_page_count = 1000000")
    await client.append_to_stream("s", current_version=before[-1].stream_position, events=[large()])
    after = await client.get_stream("s")
    assert [e.stream_position for e in after] == list(range(len(before) + 1))
    assert [e.id for e in after[:-1]] == [e.id for e in before]


async def test_a_log_that_cannot_be_read_fails_reads_cleanly(
    node: EventStoreNode, client: AsyncEventStoreDBClient, stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.append_to_stream("s", current_version=StreamState.NO_STREAM, events=events(3))
    reader = node._services.streams._reader

    async def refused() -> tuple[StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as info:
            await messages(stub.Read(streams_pb2.ReadReq(options=read_options())))
        return info.value.code(), info.value.details()

    with monkeypatch.context() as patch:
        patch.setattr(reader, "_connection", FlakyConnection(reader._connection, "SELECT", 1))
        assert await refused() == (StatusCode.UNAVAILABLE, "the event log cannot be read: disk I/O error")
        assert len(await client.get_stream("s")) == 3
        patch.setattr(reader, "all_forwards", None)
        assert await refused() == (StatusCode.UNKNOWN, "Exception was thrown by handler.")
    assert len(await client.get_stream("s")) == 3

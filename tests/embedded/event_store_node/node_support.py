"""Helpers of the node's tests: messages in few words, and a node process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc.aio
from esdbclient import AsyncEventStoreDBClient, NewEvent
from esdbclient.protos.Grpc import shared_pb2, streams_pb2
from google.protobuf import duration_pb2, empty_pb2

from embedded.event_store_node.log.database import Database
from embedded.event_store_node.log.log import Log

ROOT = Path(__file__).parents[3]
EMPTY = shared_pb2.Empty()
# The streams that every log begins with, one event each; `$all` shows the second one only.
FIRST_STREAMS = ("$epoch-information", "$$$scavenges")
ReadOptions = streams_pb2.ReadReq.Options


def event(type_: str = "Happened", data: bytes = b"{}", **fields: Any) -> NewEvent:
    return NewEvent(type=type_, data=data, **fields)


def events(count: int, type_: str = "Happened") -> list[NewEvent]:
    return [event(type_, b'{"n": %d}' % n) for n in range(count)]


def stream_id(name: str) -> shared_pb2.StreamIdentifier:
    return shared_pb2.StreamIdentifier(stream_name=name.encode())


def proposed(new: NewEvent, message: Any = streams_pb2.AppendReq.ProposedMessage) -> Any:
    return message(
        id=shared_pb2.UUID(string=str(new.id)),
        metadata={"type": new.type, "content-type": new.content_type},
        custom_metadata=new.metadata,
        data=new.data,
    )


def append_requests(stream: str, new: list[NewEvent], **expected: Any) -> list[streams_pb2.AppendReq]:
    """The messages of an Append call; `expected` is one of revision, no_stream, any, stream_exists."""
    options = streams_pb2.AppendReq.Options(stream_identifier=stream_id(stream), **(expected or {"any": EMPTY}))
    return [
        streams_pb2.AppendReq(options=options),
        *(streams_pb2.AppendReq(proposed_message=proposed(one)) for one in new),
    ]


def batch_request(
    stream: str | None = None,
    new: list[NewEvent] | None = None,
    *,
    correlation_id: UUID | None = None,
    is_final: bool = True,
    deadline_seconds: float | None = None,
    **expected: Any,
) -> streams_pb2.BatchAppendReq:
    """One message of a BatchAppend call; without a stream, a later part of a split write."""
    request = streams_pb2.BatchAppendReq(
        correlation_id=shared_pb2.UUID(string=str(correlation_id or uuid4())),
        proposed_messages=[proposed(one, streams_pb2.BatchAppendReq.ProposedMessage) for one in new or []],
        is_final=is_final,
    )
    if stream is not None:
        options = streams_pb2.BatchAppendReq.Options(
            stream_identifier=stream_id(stream), **(expected or {"any": empty_pb2.Empty()})
        )
        if deadline_seconds is not None:
            options.deadline.CopyFrom(
                duration_pb2.Duration(seconds=int(deadline_seconds), nanos=int(deadline_seconds % 1 * 1_000_000_000))
            )
        request.options.CopyFrom(options)
    return request


@cache
def first_position() -> int:
    """The first position of `$all` that is a client's: what stands before it is in every log."""
    database = Database(None)
    connection = database.connect(cache_mib=1)
    try:
        return Log(connection)._next_position
    finally:
        connection.close()
        database.close()


def from_first_position() -> ReadOptions.AllOptions:
    """No event stands just before the first position: the same for reads (inclusive) and subscriptions (exclusive)."""
    position = first_position() - 1
    return ReadOptions.AllOptions(position=ReadOptions.Position(commit_position=position, prepare_position=position))


def read_options(**changes: Any) -> ReadOptions:
    """A read of all of `$all` that clients wrote, forwards, changed as told; None removes a default."""
    fields: dict[str, Any] = {
        "all": from_first_position(),
        "count": 2**32,
        "no_filter": EMPTY,
        "uuid_option": ReadOptions.UUIDOption(string=EMPTY),
    }
    for alternatives in (("all", "stream"), ("count", "subscription"), ("no_filter", "filter")):
        if changes.keys() & set(alternatives):
            for name in alternatives:
                fields.pop(name, None)
    fields |= changes
    return ReadOptions(**{name: value for name, value in fields.items() if value is not None})


async def messages(call: Any, count: int | None = None) -> list[streams_pb2.ReadResp]:
    """The next `count` messages of a call, or all until it ends."""
    received = []
    while count is None or len(received) < count:
        message = await asyncio.wait_for(call.read(), 20)
        if message is grpc.aio.EOF:
            break
        received.append(message)
    return received


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for a condition to hold; fail if it does not in time."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.005)


async def endless(requests: list[Any], done: asyncio.Event) -> AsyncIterator[Any]:
    """Requests of a call that is not half-closed before `done`."""
    for request in requests:
        yield request
    await done.wait()


@asynccontextmanager
async def connected(uri: str) -> AsyncIterator[AsyncEventStoreDBClient]:
    client = AsyncEventStoreDBClient(uri)
    await client.connect()
    try:
        yield client
    finally:
        await client.close()


class NodeProcess:
    """
    A node as a process of its own, on one data directory. Each start takes another port: channels to the old
    one would back off for a second first.
    """

    def __init__(self, data_dir: Path, *extra: str) -> None:
        self.data_dir = data_dir
        self.port = 0
        self._extra = extra
        self.process: subprocess.Popen[str] | None = None

    @property
    def uri(self) -> str:
        return f"esdb://127.0.0.1:{self.port}?Tls=false"

    def start(self) -> str:
        """Start it and wait until it is ready. Returns the line that it prints then."""
        self.process = self.popen()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "ready on" not in line:
            assert self.process.stderr is not None
            raise AssertionError(f"the node did not start: {line}{self.process.stderr.read()}")
        self.port = int(line.split(" (")[0].rpartition(":")[2])
        return line

    def popen(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "embedded.event_store_node",
                "--port",
                "0",
                *(self._extra or ("--data-dir", str(self.data_dir))),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            self.process = None

    def terminate(self) -> tuple[int, str]:
        """Ask it to end. Returns the exit code and what it wrote to standard error."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=10)
        code = self.process.returncode
        self.process = None
        return code, errors

"""A network that loses every packet without an error, and servers that come back at the same address."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from infrastructure.event_store import NO_STREAM, EventStore, EventStoreUnavailable, NewEvent
from infrastructure.read_store import ReadStore, ReadStoreUnavailable, Write
from tests.support.network import THERE, Network, network
from tests.support.services import ROOT, until

__all__ = ["network"]

PORT = 2113
# In milliseconds; every connection string here names them.
PROBE_INTERVAL = 0.2
KEEP_ALIVE = "KeepAliveInterval=500&KeepAliveTimeout=500"
URI = f"esdb://{THERE}:{PORT}?Tls=false&{KEEP_ALIVE}"


class Server:
    """A server on the host behind the network; it can be killed and started again at its address."""

    def __init__(self, network: Network, *command: str) -> None:
        self._command = network.inside([sys.executable, "-m", *command])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(network: Network, *command: str) -> Iterator[Server]:
    server = Server(network, *command)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def node(network: Network, tmp_path: Path) -> Iterator[Server]:
    arguments = ("--insecure", "--host", THERE, "--port", str(PORT), "--data-dir", str(tmp_path / "node"))
    with running(network, "embedded.event_store_node", *arguments) as server:
        yield server


@pytest.fixture
def read_store(network: Network, tmp_path: Path) -> Iterator[Server]:
    arguments = ("--data-dir", str(tmp_path / "data"), "--host", THERE, "-p", "27017")
    files = ("--log-file", str(tmp_path / "nx.log"), "--pid-file", str(tmp_path / "nx.pid"))
    with running(network, "embedded.read_store_server", *arguments, *files) as server:
        yield server


def event(number: int) -> NewEvent:
    return NewEvent(str(uuid.UUID(int=number + 1)), "Happened", b"{}", b"{}")


async def appended(store: EventStore, number: int) -> bool:
    """Whether event `number` of the stream is acknowledged."""
    try:
        await store.append("thing-1", number - 1 if number else NO_STREAM, [event(number)])
    except EventStoreUnavailable:
        return False
    return True


SAME, RESTARTED = pytest.param(False, id="same-server"), pytest.param(True, id="restarted-server")


def slow(*values: object, name: str) -> object:
    return pytest.param(*values, id=name, marks=pytest.mark.slow)


async def refused(error: type[Exception], call: Callable[[], Awaitable[object]]) -> None:
    """Calls end at once, without the store being asked; but for one each time it is tried whether it is back."""
    asked, seconds = 0, 0.0
    for _ in range(200):
        began = monotonic()
        with pytest.raises(error) as told:
            await call()
        if "not asked" in str(told.value):
            seconds += monotonic() - began
        else:
            asked += 1
    assert asked <= 1 + seconds / PROBE_INTERVAL


@pytest.mark.parametrize("restarts", [RESTARTED, slow(False, name="same-server")])
async def test_appends_are_refused_while_packets_are_lost_and_go_on_afterwards(network, node, restarts):
    store = EventStore(URI, deadline=2, retry_timeout=0.5, probe_interval=PROBE_INTERVAL)
    try:
        await until(lambda: appended(store, 0), "the node takes events", 60)
        network.lose_packets()
        waiting = await asyncio.gather(
            *(store.append("thing-1", 0, [event(1)]) for _ in range(20)), return_exceptions=True
        )
        assert {type(one) for one in waiting} == {EventStoreUnavailable}
        await refused(EventStoreUnavailable, lambda: store.append("thing-1", 0, [event(1)]))
        if restarts:
            node.kill()
            node.start()
        network.mend()
        await until(lambda: appended(store, 1), "appends are taken again", 60)
        # What was sent before may have been written, too; with the same id it is the same event.
        assert [one.id for one in await store.read_stream("thing-1")] == [event(0).id, event(1).id]
    finally:
        await store.close()


class Follower:
    """Subscribes, and again after the last position whenever the subscription is lost."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.seen: list[str] = []
        self.lost = 0

    async def run(self) -> None:
        position = None
        while True:
            try:
                async with self._store.subscribe(position) as subscription:
                    while True:
                        batch = await subscription.next_batch()
                        self.seen += [one.id for one in batch.events]
                        position = batch.position
            except EventStoreUnavailable:
                self.lost += 1
                # Not a wait for something to have happened: only so as not to spin.
                await asyncio.sleep(0.05)

    async def has(self, count: int) -> bool:
        return len(self.seen) >= count

    async def was_lost(self) -> bool:
        return self.lost > 0


@pytest.mark.parametrize(
    ("reader", "restarts"),
    [
        pytest.param("grpc", True, id="grpc-restarted-server"),
        pytest.param("http2", False, id="http2-same-server"),
        slow("grpc", False, name="grpc-same-server"),
        slow("http2", True, name="http2-restarted-server"),
    ],
)
async def test_a_subscription_finds_out_that_its_connection_is_dead_and_loses_nothing(network, node, reader, restarts):
    """Nothing else uses the connection: without pings it would wait for ever."""
    store = EventStore(URI, reader=reader, deadline=2, retry_timeout=0.5, probe_interval=PROBE_INTERVAL)
    writing = EventStore(URI, deadline=2, retry_timeout=0.5, probe_interval=PROBE_INTERVAL)
    follower = Follower(store)
    await until(lambda: appended(writing, 0), "the node takes events", 60)
    following = asyncio.create_task(follower.run())
    try:
        await until(lambda: follower.has(1), "the subscription is there", 60)
        network.lose_packets()
        if restarts:
            # The new server knows nothing of the connection, and the old one could not end it.
            node.kill()
            node.start()
        else:
            await until(follower.was_lost, "the silence is noticed", 60)
        network.mend()
        for number in range(1, 4):
            await until(lambda number=number: appended(writing, number), "appends are taken again", 60)
        await until(lambda: follower.has(4), "the subscription goes on", 60)
        assert follower.seen == [event(number).id for number in range(4)]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await store.close()
        await writing.close()


@pytest.mark.parametrize("restarts", [SAME, slow(True, name="restarted-server")])
async def test_the_read_store_is_refused_while_packets_are_lost_and_answers_afterwards(
    network, read_store, tmp_path, restarts
):
    uri = f"mongodb://{THERE}:27017/?directConnection=true"
    store = ReadStore(uri, "lost", timeout=1.5, probe_interval=PROBE_INTERVAL)
    document = Write("a", 1, {"word": "here"})

    async def written() -> bool:
        try:
            await store.write("things", [document])
        except ReadStoreUnavailable:
            return False
        return True

    try:
        await until(written, "the read store takes documents", 60)
        network.lose_packets()
        waiting = await asyncio.gather(*(store.load("things", ["a"]) for _ in range(40)), return_exceptions=True)
        assert {type(one) for one in waiting} == {ReadStoreUnavailable}
        await refused(ReadStoreUnavailable, lambda: store.load("things", ["a"]))
        if restarts:
            read_store.kill()
            (tmp_path / "nx.pid").unlink(missing_ok=True)
            read_store.start()
        network.mend()
        await until(written, "documents are taken again", 60)
        assert (await store.load("things", ["a"]))["a"].fields == {"word": "here"}
    finally:
        await store.close()

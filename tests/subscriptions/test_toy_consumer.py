"""A consumer that no engine knows, over real processes: leases, kills, a poison event, draining, `eventfold status`."""

import asyncio
import random
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from infrastructure.event_codec import EventMetadata
from infrastructure.event_store import NO_STREAM, EventStore
from infrastructure.read_store import ReadStore
from tests.subscriptions.event_counts import COUNTS, POISON_WATTS
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, Service, node_uri, service, start_node, until
from tests.support.tiny import TINY, TINY_CODEC
from tests.support.tiny.lamp import LampInstalled, LampSwitchedOff, LampSwitchedOn
from tests.support.tiny.parcel import ParcelDelivered, ParcelSent

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
PARTITIONS = 3


class Counting:
    """Processes of the toy consumer over one log and one database, beside a projector of the bundled domain."""

    def __init__(self, folder: Path, node: Service, database: ReadStoreDatabase) -> None:
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.store = ReadStore(database.uri, database.name)
        self.http = http_session()
        self.appended: Counter[str] = Counter()
        self._folder = folder
        self.settings = {
            "eventstore_uri": node_uri(node.port),
            "mongo_uri": database.uri,
            "mongo_database": database.name,
            "consumer_partitions": str(PARTITIONS),
            "consumer_lease": "1.5",
        }
        self.counters = {name: self._counter(name) for name in "abc"}
        self.projector = service("projector", folder, **self.settings)

    def _counter(self, name: str) -> Service:
        port = free_port()
        given = {**self.settings, "consumer_name": name, "consumers_port_number": str(port)}
        environ = {f"EVENTFOLD_{key.upper()}": value for key, value in given.items()}
        log = self._folder / f"counter-{name}.log"
        return Service(f"counter {name}", port, ["tests.subscriptions.event_counts"], environ, log)

    async def append(self, stream: str, *events: Any) -> list[int]:
        """Appends to a new stream; answers the events' positions."""
        revision, positions = NO_STREAM, []
        for event in events:
            new = TINY_CODEC.encode(event, EventMetadata(), str(uuid.uuid4()))
            appended = await self.log.append(stream, revision, [new])
            revision, positions = appended.revision, [*positions, appended.position]
            self.appended[type(event).__name__] += 1
        return positions

    async def some_events(self, number: int) -> None:
        """Lamps and parcels, `number` of each."""
        for _ in range(number):
            one = uuid.uuid4().hex[:12]
            lamp = [LampInstalled(one, "hall", 40, NOON), LampSwitchedOn(one, NOON), LampSwitchedOff(one, NOON)]
            await self.append(f"lamp-{one}", *lamp)
            await self.append(f"parcel-{one}", ParcelSent(one, "ada", 300, NOON), ParcelDelivered(one, NOON, NOON))

    async def ask(self, service: Service, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        async with self.http.request(method, service.url + path, json=body) as response:
            return response.status, await response.json()

    async def told(self, service: Service | None = None) -> Any:
        """What a process tells of the consumer; None before it knows of it."""
        _, body = await self.ask(service or self.projector, "GET", "/consumers")
        return next((one for one in body["consumers"] if one["name"] == "event_counts"), None)

    async def owners(self) -> set[str]:
        """The names of the processes that have a partition."""
        consumer = await self.told()
        if consumer is None or any(one["owner"] is None for one in consumer["partitions"]):
            return set()
        return {one["owner"].rpartition("-")[0] for one in consumer["partitions"]}

    async def counts(self) -> dict[str, int]:
        """What has been counted."""
        found = await self.store.load(COUNTS, [event.name for one in TINY.aggregates for event in one.events])
        return {key: stored.fields["count"] for key, stored in found.items() if stored.fields is not None}

    async def drained(self, service: Service) -> None:
        """Waits, through one of the processes, until all is counted."""
        status, body = await self.ask(service, "POST", "/drain?timeout=60&consumer=event_counts")
        assert (status, body["position"]) == (200, await self.log.last_position())

    async def close(self) -> None:
        for one in (*self.counters.values(), self.projector):
            if one.running:
                await one.kill()
        await self.http.close()
        await self.log.close()
        await self.store.close()


@pytest_asyncio.fixture
async def counting(read_store_database: ReadStoreDatabase, tmp_path: Path) -> AsyncIterator[Counting]:
    node = await start_node(tmp_path)
    counting = Counting(tmp_path, node, read_store_database)
    try:
        for one in (counting.projector, *counting.counters.values()):
            await one.start()
        for one in (counting.projector, *counting.counters.values()):
            await until(one.answers, f"{one.name} answers", 60)
        yield counting
    finally:
        await counting.close()
        await node.kill()


async def everybody_has_a_partition(counting: Counting) -> bool:
    return await counting.owners() == {"a", "b", "c"}


@pytest.mark.slow
async def test_three_processes_share_it_survive_kills_and_count_each_event_once(counting, tmp_path):
    await until(lambda: everybody_has_a_partition(counting), "each process has a partition", 60)
    choose = random.Random(7)
    for _ in range(3):
        await counting.some_events(4)
        killed = counting.counters[choose.choice("abc")]
        await killed.kill()
        await counting.some_events(4)
        await killed.start()
        await until(killed.answers, f"{killed.name} answers again", 60)
    await until(lambda: everybody_has_a_partition(counting), "each has one again", 60)
    for one in (counting.projector, counting.counters["b"]):
        await counting.drained(one)
    assert await counting.counts() == dict(counting.appended)

    # Whoever is asked tells of it, and so does the command line; how it does comes with each heartbeat.
    for one in (counting.projector, counting.counters["a"]):

        async def is_live(asked: Service = one) -> bool:
            return (await counting.told(asked))["state"] == "live"

        await until(is_live, f"{one.name} tells that it is live")
        consumer = await counting.told(one)
        assert (consumer["version"], consumer["parked"]) == (1, 0)
        assert consumer["position"] == await counting.log.last_position()
    shown = await status_of(counting, tmp_path)
    assert any(line.startswith("event_counts live") for line in shown), shown
    status, one = await counting.ask(counting.counters["a"], "GET", "/consumers/nobody")
    assert (status, "there are event_counts" in one["detail"]) == (404, True)
    assert await counting.counters["c"].stop() == 0


async def status_of(counting: Counting, folder: Path) -> list[str]:
    """What `eventfold status` prints, line by line, with single spaces."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "status", "--data-dir", str(folder)),
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "EVENTFOLD_PROJECTOR_PORT_NUMBER": str(counting.projector.port),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return [" ".join(line.split()) for line in output.decode().splitlines()]


async def test_a_poison_event_parks_its_own_type_until_it_is_discarded(counting):
    await counting.some_events(2)
    (poison,) = await counting.append("lamp-hot", LampInstalled("hot", "attic", POISON_WATTS, NOON))
    await counting.some_events(2)
    await counting.drained(counting.counters["a"])
    before = dict(counting.appended)
    assert await counting.counts() == {**before, "LampInstalled": 2}, "the other types go on"

    # A projector that knows nothing of it lists, shows, retries and discards its dead letters.
    projector = counting.projector
    _, page = await counting.ask(projector, "GET", "/dead-letters?consumer=event_counts")
    told = [(one["consumer"], one["kind"], one["keys"], one["first"]) for one in page["dead_letters"]]
    key = ("event_counts", "key", ["LampInstalled"])
    assert told == [(*key, True), (*key, False), (*key, False)]
    assert page["dead_letters"][0]["error"] == f"ValueError: {POISON_WATTS} watts would melt the socket"
    status, one = await counting.ask(projector, "GET", f"/dead-letters/event_counts/{poison}")
    assert (status, f'"watts":{POISON_WATTS}' in one["data"]) == (200, True)
    status, outcome = await counting.ask(projector, "POST", "/dead-letters/retry", {"consumer": "event_counts"})
    assert (status, outcome["replayed"], outcome["remaining"]) == (200, 0, 3)
    discard = {"consumer": "event_counts", "position": poison, "reason": "there is no such lamp"}
    status, outcome = await counting.ask(projector, "POST", "/dead-letters/discard", discard)
    assert (status, outcome["discarded"], outcome["replayed"], outcome["remaining"]) == (200, 1, 2, 0)
    assert await counting.counts() == {**before, "LampInstalled": 4}
    assert (await counting.told())["parked"] == 0
    status, _ = await counting.ask(projector, "POST", "/dead-letters/retry", {"consumer": "nobody"})
    assert status == 404

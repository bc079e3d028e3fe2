"""Processes that run a plain consumer, as operators meet them: over HTTP, beside a projector, killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from infrastructure.event_codec import EventMetadata, event_id
from infrastructure.event_store import NO_STREAM, EventStore
from infrastructure.read_store import ReadStore
from tests.subscriptions.counting import Counter, plain_count
from tests.subscriptions.counting_service import refuses
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import TINY, Service, node_uri, running, start_node, until
from tests.support.tiny import TINY_CODEC
from tests.support.tiny.logs import installed, stream_of, switched_off, switched_on

COUNTING = "tests.subscriptions.counting_service"
PARTITIONS = 2


class World:
    """Two processes that count, a projector, and their stores."""

    def __init__(self, log: EventStore, store: ReadStore, http: aiohttp.ClientSession, services: list[Service]) -> None:
        self.log = log
        self.store = store
        self.one, self.other, self.projector = services
        self._http = http
        self._revisions: dict[str, int] = {}

    async def append(self, *events: Any) -> int:
        """Appends domain events; the position of the last."""
        position = -1
        for event in events:
            stream = stream_of(event)
            revision = self._revisions.get(stream, NO_STREAM)
            new = TINY_CODEC.encode(event, EventMetadata(), event_id(stream, str(revision), "", 0))
            appended = await self.log.append(stream, revision, [new])
            self._revisions[stream], position = appended.revision, appended.position
        return position

    async def ask(self, service: Service, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The answer, which must have that status."""
        async with self._http.request(method, service.url + path, json=body) as answer:
            told = await answer.json()
            assert answer.status == status, told
            return told

    async def counted(self) -> dict[str, dict[str, Any]]:
        """What is in the read store."""
        return {
            key: {"_id": key, "_position": one.position, **(one.fields or {})}
            async for key, one in self.store.scan("counter")
        }


@asynccontextmanager
async def world(folder: Path, database: ReadStoreDatabase) -> AsyncIterator[World]:
    node = await start_node(folder)
    given = {
        "eventstore_uri": node_uri(node.port),
        "mongo_uri": database.uri,
        "mongo_database": database.name,
        "consumer_lease": "1",
        "consumer_partitions": str(PARTITIONS),
    }
    log, store = EventStore(node_uri(node.port), retry_timeout=20), ReadStore(database.uri, database.name)
    try:
        async with (
            aiohttp.ClientSession() as http,
            running("projector", folder, "/health/ready", domain=COUNTING, consumer_name="a", **given) as one,
            running("projector", folder, "/health/ready", domain=COUNTING, consumer_name="b", **given) as other,
            running("projector", folder, "/health/ready", domain=TINY, consumer_name="c", **given) as projector,
        ):
            yield World(log, store, http, [one, other, projector])
    finally:
        await log.close()
        await store.close()
        await node.kill()


async def test_counted_shown_parked_discarded_and_taken_over(read_store_database, tmp_path):
    async with world(tmp_path, read_store_database) as here:
        lamps = [f"l{number}" for number in range(20)]
        await here.append(*map(installed, lamps), installed("bad", "cellar"), switched_on("bad"))

        async def shared() -> bool:
            (told,) = (await here.ask(here.one, "GET", "/consumers"))["consumers"]
            return len({one["owner"] for one in told["partitions"]} - {None}) == PARTITIONS

        await until(shared, "the two share the partitions")
        end = await here.append(*map(switched_on, lamps))
        assert await here.ask(here.other, "POST", "/drain") == {"position": end}
        for service in (here.one, here.other, here.projector):
            told = await here.ask(service, "GET", "/consumers/counter")
            assert (told["position"], told["parked"], told["state"]) == (end, 2, "live")
        assert (await here.ask(here.projector, "GET", "/status"))["consumers"][0]["name"] == "counter"
        await here.ask(here.one, "GET", "/consumers/nobody", status=404)

        (first, behind) = (await here.ask(here.one, "GET", "/dead-letters?consumer=counter"))["dead_letters"]
        assert [(one["keys"], one["first"]) for one in (first, behind)] == [(["bad"], True), (["bad"], False)]
        retried = await here.ask(here.one, "POST", "/dead-letters/retry", {"consumer": "counter"})
        assert (retried["replayed"], retried["remaining"]) == (0, 2)
        discard = {"consumer": "counter", "position": first["position"], "reason": "too damp"}
        # Whichever process is asked, even one that does not run the consumer.
        discarded = await here.ask(here.projector, "POST", "/dead-letters/discard", discard)
        assert (discarded["replayed"], discarded["remaining"]) == (1, 0)

        await here.one.kill()
        end = await here.append(*map(switched_off, lamps))
        assert await here.ask(here.other, "POST", "/drain?timeout=60") == {"position": end}
        left_out = {(first["position"], "bad")}
        events = [event async for event in here.log.read_all()]
        expected, _ = plain_count(Counter(here.store, refuses=refuses), events, left_out)
        assert await here.counted() == expected
        await here.ask(here.other, "GET", "/health/ready")
        assert await here.other.stop() == 0

"""Services of the tiny domain in the former version and of its next release in this one, over the same stores."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from infrastructure.event_store import EventStore, StoredEvent
from infrastructure.read_store import ReadStore
from tests.support.places import HERE
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, TINY, Service, node_uri, service_of, start_node, until

NEXT_SERVICE = "tests.upgrades.next_tiny_service"
Answer = tuple[int, Any, dict[str, str]]


class MixedFleet:
    """`old_` runs the former version's code and knows the events before, `new_` this one's, which writes newer ones."""

    def __init__(self, folder: Path, former: Path, node: Service, database: ReadStoreDatabase) -> None:
        settings = {
            "eventstore_uri": node_uri(node.port),
            "mongo_uri": database.uri,
            "mongo_database": database.name,
            "consumer_lease": "1",
        }

        def of(name: str, domain: str, root: Path, **own: str) -> Service:
            return service_of(root, HERE, name, folder, domain, {**settings, **own})

        self.old_commands = of("command_api", TINY, former)
        self.old_queries = of("query_api", TINY, former)
        self.old_projector = of("projector", TINY, former, consumer_name="old")
        self.new_commands = of("command_api", NEXT_SERVICE, ROOT)
        self.new_queries = of("query_api", NEXT_SERVICE, ROOT)
        self.new_projector = of("projector", NEXT_SERVICE, ROOT, consumer_name="new")
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.store = ReadStore(database.uri, database.name)
        # A new connection each time: on a slow machine a kept one may be closed as too long idle when it is used.
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    async def start(self, *services: Service) -> None:
        """Starts them side by side, and waits until they answer."""
        await asyncio.gather(*(one.start() for one in services))
        for one in services:
            await until(one.answers, f"{one.name} answers", 300)

    async def ask(self, of: Service, method: str, path: str, body: Any = None, key: str = "") -> Answer:
        """Status, body and headers (their names in lower case) of a definite answer: what is slow or contended is asked
        again."""
        headers = {"Idempotency-Key": key} if key else {}
        while True:
            async with self.http.request(method, of.url + path, json=body, headers=headers) as answer:
                told = await answer.json(content_type=None)
                kind = told.get("type", "").rpartition(":")[2]
                if kind == "newer-history" or (answer.status != 503 and kind != "contended"):
                    return answer.status, told, {name.lower(): value for name, value in answer.headers.items()}

    async def install(self, commands: Service, lamp: str) -> None:
        status, told, _ = await self.ask(commands, "PUT", f"/lamps/{lamp}", {"room": "r1", "watts": 40})
        assert status == 201, told

    async def send(self, commands: Service, parcel: str) -> None:
        status, told, _ = await self.ask(commands, "PUT", f"/parcels/{parcel}", {"recipient": "ada", "grams": 100})
        assert status == 201, told

    async def switch(self, commands: Service, lamp: str, to: str) -> tuple[int, str]:
        """The status, and the kind of a refusal."""
        status, told, _ = await self.ask(commands, "POST", f"/lamps/{lamp}/switch-{to}", {})
        return status, told.get("type", "").rpartition(":")[2]

    async def lamp(self, queries: Service, lamp: str) -> Any:
        """What is shown of it; None where nothing is."""
        status, told, _ = await self.ask(queries, "GET", f"/lamps/{lamp}")
        assert status in (200, 404), told
        return told if status == 200 else None

    async def dead_letters(self, projector: Service) -> list[Any]:
        _, told, _ = await self.ask(projector, "GET", "/dead-letters?limit=100")
        return list(told["dead_letters"])

    async def parked(self, projector: Service) -> set[tuple[str, str]]:
        """The view and the stream of every dead letter."""
        return {(one["consumer"], one["stream"]) for one in await self.dead_letters(projector)}

    async def events(self) -> Sequence[StoredEvent]:
        """The whole log."""
        return [one async for one in self.log.read_all()]

    async def close(self) -> None:
        old = (self.old_commands, self.old_queries, self.old_projector)
        for one in (*old, self.new_commands, self.new_queries, self.new_projector):
            if one.was_started:
                await one.kill()
        await self.http.close()
        await self.log.close()
        await self.store.close()


@asynccontextmanager
async def mixed_fleet(folder: Path, former: Path, database: ReadStoreDatabase) -> AsyncIterator[MixedFleet]:
    """A fleet on an empty log for the block; nothing of it is started but the stores."""
    node = await start_node(folder)
    fleet = MixedFleet(folder, former, node, database)
    try:
        yield fleet
    finally:
        await fleet.close()
        await node.kill()

"""Projector processes side by side over one log and one database."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.event_store import EventStore, StoredEvent
from infrastructure.read_store import Page, ReadStore, StoredDocument
from infrastructure.view_registry import ViewRecord, ViewRegistry
from subscriptions.membership.leases import LEASES
from subscriptions.membership.member import MEMBERS
from tests.projector.verdict import LeftOut, assert_equal_to_a_fold
from tests.support.http_session import http_session
from tests.support.ordering import VIEWS
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ORDERING, Service, node_uri, service, until


class Fleet:
    """`settings` are those of every process. A process is known by its name, which its successor may have too."""

    def __init__(self, folder: Path, node: Service, database: ReadStoreDatabase, **settings: str) -> None:
        self.node = node
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.store = ReadStore(database.uri, database.name)
        self.projectors: dict[str, Service] = {}
        self.registry = ViewRegistry(self.store)
        self._folder = folder
        given = {"eventstore_uri": node_uri(node.port), "mongo_uri": database.uri, "mongo_database": database.name}
        self._settings = {**given, "consumer_lease": "1", **settings}

    async def start(self, *names: str) -> None:
        """Starts a process of each name; a second time on the same port."""
        for name in names:
            if name not in self.projectors:
                self.projectors[name] = service(
                    "projector", self._folder, domain=ORDERING, **self._settings, consumer_name=name
                )
            await self.projectors[name].start()

    async def kill(self, name: str) -> None:
        """SIGKILL, for good unless it is started again."""
        await self.projectors[name].kill()

    async def replace(self, name: str, choose: random.Random) -> str:
        """Starts a killed process again, either under its own name, which takes its place at once, or under a new one,
        which has to wait for the lease as everybody else; answers the name."""
        if choose.random() < 0.5:
            await self.start(name)
            return name
        del self.projectors[name]
        other = f"{name.partition('.')[0]}.{choose.randrange(10**6)}"
        await self.start(other)
        return other

    async def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Asks any process that answers; waits for one that does."""
        answered: list[tuple[int, Any]] = []

        async def one_answers() -> bool:
            for projector in list(self.projectors.values()):
                if projector.running and not answered:
                    try:
                        async with self.http.request(method, projector.url + path, json=body) as answer:
                            answered.append((answer.status, await answer.json()))
                    except (aiohttp.ClientError, TimeoutError):
                        continue
            return bool(answered)

        await until(one_answers, f"a projector answers {path}", 150)
        return answered[0]

    async def drained(self) -> int:
        """Waits until every view has folded the whole log; answers the log's end."""
        status, answer = await self.request("POST", "/drain?timeout=90")
        assert status == 200, answer
        return int(answer["position"])

    async def records(self) -> dict[str, ViewRecord]:
        """The records of those views that have one."""
        return dict(await self.registry.load([view.name for view in VIEWS]))

    async def checkpoints(self) -> dict[str, StoredDocument]:
        """Those of all partitions of all builds, in the present layouts."""
        keys = [
            key
            for record in (await self.records()).values()
            for build in record.builds
            for key in record.target(build).keys
        ]
        return await self.store.load(CHECKPOINTS, keys)

    async def advanced(self, before: dict[str, StoredDocument]) -> bool:
        """Whether anything has been folded since `before`."""
        now = await self.checkpoints()
        return any(key not in before or held.position > before[key].position for key, held in now.items())

    async def shares(self) -> Counter[str]:
        """How many partitions each process (by name) owns by the leases; "" counts those that nobody does."""
        records = (await self.records()).values()
        keys = [key for record in records for build in record.builds for key in record.target(build).keys]
        found = await self.store.load(LEASES, keys)
        owners = [(found[key].fields or {})["owner"] if key in found else "" for key in keys]
        return Counter(owner.rpartition("-")[0] for owner in owners)

    async def is_shared_out(self, names: Collection[str]) -> bool:
        """Whether these processes, and no others, own all partitions, in fair shares."""
        shares = await self.shares()
        fair = max(shares.values(), default=0) - min(shares.values(), default=0) <= 1
        return fair and set(shares) == set(names)

    async def shared_out(self, *names: str) -> None:
        """Waits for it."""
        await until(lambda: self.is_shared_out(names), f"all is shared out among {names}", 60)

    async def members(self) -> set[str]:
        """The names of all processes that have not left, alive or not."""
        page = await self.store.page(MEMBERS, Page({}, by="started_at", limit=500))
        return {str(one.fields["name"]) for _, one in page if one.fields}

    async def events(self) -> list[StoredEvent]:
        """The whole log."""
        return [event async for event in self.log.read_all()]

    async def assert_folded(self, left_out: LeftOut | None = None) -> int:
        """Waits until all views are drained; then each of them is a plain fold of the log. Answers its length.

        Nothing may be appended meanwhile.
        """
        end = await self.drained()
        events = await self.events()
        assert events[-1].position == end
        await assert_equal_to_a_fold(self.store, events, left_out)
        return len(events)

    async def open(self) -> None:
        self.http = http_session(json_serialize=lambda body: msgspec.json.encode(body).decode())

    async def close(self) -> None:
        """Ends every process."""
        for projector in list(self.projectors.values()):
            await projector.kill()
        await self.http.close()
        await self.log.close()
        await self.store.close()


@asynccontextmanager
async def fleet_over(
    folder: Path, node: Service, database: ReadStoreDatabase, *names: str, **settings: str
) -> AsyncIterator[Fleet]:
    """A process of each name, for the block."""
    fleet = Fleet(folder, node, database, **settings)
    await fleet.open()
    try:
        await fleet.start(*names)
        yield fleet
    finally:
        await fleet.close()

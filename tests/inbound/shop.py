"""The services that take messages, as processes over a node and a read store of a test's own."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from infrastructure.event_store import EventStore
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, node_uri, running, service, start_node, until


class Shop:
    """`node` and `commands` run; `inbound` makes processes that are yet to be started."""

    def __init__(self, folder: Path, node: Service, commands: Service, settings: dict[str, str]) -> None:
        self.folder = folder
        self.node = node
        self.commands = commands
        self._settings = settings

    def inbound(self, sources: list[dict[str, Any]], **given: str) -> Service:
        """The inbound service with these sources."""
        path = self.folder / f"sources-{uuid.uuid4().hex[:8]}.json"
        path.write_text(json.dumps({"sources": sources}))
        return service(
            "inbound",
            self.folder,
            inbound_sources=str(path),
            commands_url=self.commands.url,
            metrics_interval="0.5",
            **{**self._settings, **given},
        )

    async def events(self, stream: str) -> list[tuple[str, dict[str, Any]]]:
        """Type and data of every event of a stream; none where it is not there."""
        store = EventStore(node_uri(self.node.port))
        try:
            return [(one.type, json.loads(one.data)) for one in await store.read_stream(stream)]
        finally:
            await store.close()

    async def received(self, sku: str) -> list[int]:
        """The quantities that came in of an article, in their order."""
        return [data["quantity"] for kind, data in await self.events(f"stock-{sku}") if kind == "StockReceived"]


@asynccontextmanager
async def shop(folder: Path, database: ReadStoreDatabase) -> AsyncIterator[Shop]:
    """A node, and a command API over it."""
    node = await start_node(folder)
    settings = {
        "eventstore_uri": node_uri(node.port),
        "mongo_uri": database.uri,
        "mongo_database": database.name,
    }
    try:
        async with running("command_api", folder, **settings) as commands:
            yield Shop(folder, node, commands, settings)
    finally:
        await node.kill()


@asynccontextmanager
async def started(*services: Service) -> AsyncIterator[None]:
    """The services run, and messages come; what still runs at the end is killed."""
    try:
        for one in services:
            await one.start()
        for one in services:
            await until(lambda one=one: one.answers("/health/ready"), f"{one.name} is ready", 90)
        yield
    finally:
        await asyncio.gather(*(one.kill() for one in services if one.was_started))


async def ask(method: str, url: str, body: Any = None) -> Any:
    """The answer of a service."""
    async with http_session() as http, http.request(method, url, json=body) as response:
        assert response.status < 300, await response.text()
        return await response.json()

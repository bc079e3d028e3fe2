"""The whole system as real processes: node, read store, command API, projector, query API."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from infrastructure.event_store import EventStore, NewEvent
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, Within, node_uri, running, single_process, start_node, until
from tests.support.shape import Shape, chosen_shape

LINE: dict[str, Any] = {"sku": "apple", "quantity": 3, "unit_price": 50, "discount": 10}


class System:
    """Where everything is, and what the tests do with it."""

    def __init__(self, node: Service, read_store: ReadStoreServer, http: aiohttp.ClientSession, node_port: int) -> None:
        self.node = node
        self.node_port = node_port
        self.read_store = read_store
        self.http = http
        self.store = EventStore(node_uri(node_port), retry_timeout=10)
        self.commands: Service
        self.projector: Service
        self.queries: Service

    async def command(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        url = self.commands.url + path
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def place(self, order_id: str, customer: str = "ada") -> int:
        """Places an order; its position."""
        body = {"customer_id": customer, "currency": "USD", "lines": [LINE], "ordered_at": "2026-03-14T12:00:00Z"}
        status, answer = await self.command("PUT", f"/orders/{order_id}", body)
        assert status == 201, answer
        return int(answer["position"])

    async def query(self, path: str) -> tuple[int, Any]:
        async with self.http.get(self.queries.url + path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def seen(self, path: str) -> Any:
        """The answer to a query that is expected to succeed."""
        status, answer = await self.query(path)
        assert status == 200, answer
        return answer

    async def views(self) -> dict[str, Any]:
        """The projector's /status, by view."""
        async with self.http.get(self.projector.url + "/status") as answer:
            return {view["name"]: view for view in (await answer.json())["views"]}

    async def append(
        self, stream: str, expected: int, event_id: str, kind: str, data: bytes, metadata: Any = None
    ) -> int:
        """Appends what no command would; its position."""
        event = NewEvent(event_id, kind, data, json.dumps(metadata or {}).encode())
        return (await self.store.append(stream, expected, [event])).position

    async def reached(self, position: int) -> None:
        """Waits until every view is at or past the position."""

        async def all_there() -> bool:
            views = (await self.views()).values()
            return bool(views) and all((view["position"] or 0) >= position for view in views)

        await until(all_there, f"every view reaches {position}")


SERVICES = ("command_api", "projector", "query_api")
TIMEOUTS = {"eventstore_retry_timeout": "0.3", "readstore_timeout": "3"}


@asynccontextmanager
async def running_system(tmp_path: Path, shape: Shape | None = None, **own_settings: str) -> AsyncIterator[System]:
    """A fresh system for the block, in the shape that the run is for unless one is named; `own_settings` are added to
    the services' own."""
    run = _single_system if (shape or chosen_shape()) is Shape.SINGLE else _many_system
    async with run(tmp_path, **own_settings) as system:
        yield system


@asynccontextmanager
async def _single_system(tmp_path: Path, **own_settings: str) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        read_store = ReadStoreServer(tmp_path)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        parts = [name.replace("_", "-") for name in SERVICES]
        whole, node_port = single_process(tmp_path, parts, read_store.uri, **{**TIMEOUTS, **own_settings})
        await whole.start()
        stack.push_async_callback(whole.kill)
        http = await stack.enter_async_context(http_session())
        system = System(whole, read_store, http, node_port)
        stack.push_async_callback(system.store.close)
        system.commands = system.queries = whole
        system.projector = Within(whole, "projector")
        await until(lambda: whole.answers("/health/ready"), "the whole is ready", 240)
        yield system


@asynccontextmanager
async def _many_system(tmp_path: Path, **own_settings: str) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        node = await start_node(tmp_path)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(tmp_path)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        http = await stack.enter_async_context(http_session())
        system = System(node, read_store, http, node.port)
        stack.push_async_callback(system.store.close)
        settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri}
        settings |= TIMEOUTS | own_settings
        services = [await stack.enter_async_context(running(name, tmp_path, **settings)) for name in SERVICES]
        system.commands, system.projector, system.queries = services
        for service in services:
            await until(lambda service=service: service.answers("/health/ready"), f"{service.name} is ready")
        yield system


@pytest_asyncio.fixture
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    """A fresh system; a module's SETTINGS are added to the services' own."""
    async with running_system(tmp_path, **getattr(request.module, "SETTINGS", {})) as system:
        yield system

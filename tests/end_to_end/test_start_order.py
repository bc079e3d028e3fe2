"""Services are started with no store there; the stores come, and every service becomes ready without a restart."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import node_uri, service, start_node, until

NEED_A_STORE = ("command_api", "query_api", "projector", "consumers", "process_manager")


async def health(http: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with http.get(f"{url}/health/ready") as response:
        return response.status, await response.json()


async def test_the_order_in_which_services_and_stores_start_does_not_matter(tmp_path: Path) -> None:
    node_port = free_port()
    (tmp_path / "read-store").mkdir()
    read_store = ReadStoreServer(tmp_path / "read-store")
    settings = {"eventstore_uri": node_uri(node_port), "mongo_uri": read_store.uri, "mongo_database": "late"}
    services = [service(name, tmp_path, **settings) for name in NEED_A_STORE]
    services.append(service("payment_webhooks", tmp_path, payments_webhook_secret="late-secret"))
    node = None
    try:
        for one in services:
            await one.start()
        pids = [one.pid for one in services]
        async with http_session() as http:
            for one in services:
                await until(one.answers, f"{one.name} is alive", 120)
            for one in services:
                status, told = await health(http, one.url)
                needs_a_store = one.name in NEED_A_STORE
                assert (status, told["status"]) == ((503, "unready") if needs_a_store else (200, "ready")), told
                down = {name for name, found in told["dependencies"].items() if found["status"] == "down"}
                assert ("event_store" in down) == needs_a_store
                assert told["version"]
            await asyncio.to_thread(read_store.start)
            node = await start_node(tmp_path, node_port)
            for one in services:
                await until(partial(one.answers, "/health/ready"), f"{one.name} is ready", 120)
                _, told = await health(http, one.url)
                assert {found["status"] for found in told["dependencies"].values()} == {"ok"}, told
                assert all(found["latency_seconds"] < 2 for found in told["dependencies"].values())
        assert [one.pid for one in services if one.running] == pids
    finally:
        for started in [*services, *([node] if node else [])]:
            if started.was_started:
                await started.kill()
        read_store.kill()

"""What a client sees when the store goes away, and what is in the log after processes are killed under load."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infrastructure.event_store import EventStore
from tests.support.http_session import http_session
from tests.support.services import TINY, Service, node_uri, restart_node, running, start_node, until

LAMP: dict[str, Any] = {"room": "kitchen", "watts": 60}


async def streams(node: Service) -> Counter[str]:
    """How many events each lamp's stream holds, read from the log."""
    store = EventStore(node_uri(node.port), retry_timeout=10)
    try:
        found: Counter[str] = Counter()
        async for event in store.read_all():
            found[event.stream] += 1
        return found
    finally:
        await store.close()


async def test_while_the_event_store_is_away_clients_are_told_to_come_back(tmp_path):
    node = await start_node(tmp_path)
    settings = {"eventstore_uri": node_uri(node.port), "eventstore_retry_timeout": "0.3"}
    async with running("command_api", tmp_path, domain=TINY, **settings) as api, http_session(api.url) as http:
        async with http.put("/lamps/l-1", json=LAMP) as installed:
            assert installed.status == 201
        await node.kill()
        for method, path in (("PUT", "/lamps/l-2"), ("POST", "/lamps/l-1/switch-on"), ("POST", "/lamps")):
            async with http.request(method, path, json={} if "switch-on" in path else LAMP) as refused:
                assert refused.status == 503
                assert int(refused.headers["Retry-After"]) >= 1
                assert refused.content_type == "application/problem+json"
        async with http.get("/health/ready") as ready:
            assert ready.status == 503
            assert (await ready.json())["dependencies"]["event_store"] != "ok"
        async with http.get("/health/live") as live:
            assert live.status == 200

        await restart_node(node)
        assert await streams(node) == {"lamp-l-1": 1}

        async def recovered() -> bool:
            async with http.put("/lamps/l-2", json=LAMP, headers={"Idempotency-Key": "k"}) as installed:
                return installed.status == 201

        await until(recovered, "the command API recovers by itself")
    await node.kill()


class Client:
    """Installs lamps under keys of their own and repeats each until it is answered, as a careful client does."""

    def __init__(self, http: aiohttp.ClientSession, name: str) -> None:
        self.http = http
        self.name = name
        self.answered: dict[str, int] = {}
        self.asked: set[str] = set()

    async def install_until(self, enough: asyncio.Event) -> None:
        number = 0
        while not enough.is_set():
            number += 1
            await self.install(f"{self.name}-{number}")

    async def install(self, lamp_id: str) -> None:
        self.asked.add(lamp_id)
        while lamp_id not in self.answered:
            try:
                async with self.http.put(
                    f"/lamps/{lamp_id}", json=LAMP, headers={"Idempotency-Key": lamp_id}
                ) as answer:
                    assert answer.status in (201, 503), await answer.text()
                    if answer.status == 201:
                        self.answered[lamp_id] = (await answer.json())["position"]
                        return
            except aiohttp.ClientError:
                pass
            # Not a wait for something to have happened: only so as not to spin while a server starts.
            await asyncio.sleep(0.02)


async def assert_all_there_once(node: Service, clients: list[Client]) -> None:
    found = await streams(node)
    lost = [lamp for client in clients for lamp in client.answered if found[f"lamp-{lamp}"] == 0]
    assert lost == [], "acknowledged, but not in the log"
    assert set(found) <= {f"lamp-{lamp}" for client in clients for lamp in client.asked}
    assert [stream for stream, count in found.items() if count > 1] == [], "in the log twice"


async def rounds_of_kills(tmp_path: Path, rounds: int, victim: str) -> None:
    node = await start_node(tmp_path)
    settings = {"eventstore_uri": node_uri(node.port), "eventstore_retry_timeout": "5"}
    clients: list[Client] = []
    async with running("command_api", tmp_path, domain=TINY, **settings) as api, http_session(api.url) as http:
        for number in range(rounds):
            round_clients = [Client(http, f"round{number}-client{n}") for n in range(8)]
            clients += round_clients
            enough = asyncio.Event()
            load = [asyncio.create_task(client.install_until(enough)) for client in round_clients]
            await answers_reach(round_clients, random.randint(5, 150))
            if victim == "node":
                await node.kill()
                await restart_node(node)
            else:
                await api.kill()
                await api.start()
            await answers_reach(round_clients, sum(len(client.answered) for client in round_clients) + 1)
            enough.set()
            await asyncio.gather(*load)
            await assert_all_there_once(node, clients)
    await node.kill()


async def answers_reach(clients: list[Client], wanted: int) -> None:
    async def reached() -> bool:
        return sum(len(client.answered) for client in clients) >= wanted

    await until(reached, f"{wanted} answers")


async def test_no_acknowledged_event_is_lost_or_doubled_when_the_node_is_killed(tmp_path):
    await rounds_of_kills(tmp_path, 4, "node")


async def test_no_acknowledged_event_is_lost_or_doubled_when_the_command_api_is_killed(tmp_path):
    await rounds_of_kills(tmp_path, 3, "command_api")


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_no_acknowledged_event_is_lost_or_doubled_in_100_kills_of_each(tmp_path):
    for victim in ("node", "command_api"):
        (tmp_path / victim).mkdir()
        await rounds_of_kills(tmp_path / victim, 100, victim)


async def test_on_sigterm_commands_under_way_finish(tmp_path):
    node = await start_node(tmp_path)
    async with (
        running("command_api", tmp_path, domain=TINY, eventstore_uri=node_uri(node.port)) as api,
        http_session(api.url) as http,
    ):
        answered: set[int] = set()
        started = asyncio.Event()

        async def install(number: int) -> None:
            try:
                async with http.put(f"/lamps/l-{number}", json=LAMP) as answer:
                    if answer.status == 201:
                        await answer.read()
                        answered.add(number)
                        started.set()
            except aiohttp.ClientError:
                pass

        load = [asyncio.create_task(install(number)) for number in range(500)]
        await started.wait()
        assert await api.stop() == 0
        await asyncio.gather(*load)
    assert set(await streams(node)) == {f"lamp-l-{number}" for number in answered}
    await node.kill()

"""The event relay as a process, over real HTTP and real stores: a kill, a pause, a replay."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from infrastructure.integration.cloud_event import CloudEvent, from_structured
from infrastructure.outside.webhooks import signed
from ops.cli import main
from tests.event_relay.test_stream import told as first_of
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import node_uri, running, service, start_node, until

SECRET = "a secret of the tests alone"
ORDER = {
    "customer_id": "ada",
    "currency": "EUR",
    "lines": [{"sku": "tea", "quantity": 2, "unit_price": 450, "discount": 0}],
    "ordered_at": "2026-03-14T12:00:00Z",
}


@asynccontextmanager
async def subscriber() -> AsyncIterator[tuple[int, list[CloudEvent]]]:
    """A server that takes events whose signature it can check."""
    taken: list[CloudEvent] = []

    async def take(request: web.Request) -> web.Response:
        body, headers = await request.read(), request.headers
        expected = signed(SECRET.encode(), headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        if headers["webhook-signature"] != expected["webhook-signature"]:
            return web.Response(status=401)
        taken.append(from_structured(body))
        return web.Response(text="thank you")

    app = web.Application()
    app.router.add_post("/events", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], taken
    finally:
        await runner.cleanup()


async def stream_lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The blocks of server-sent events."""
    block = b""
    async for line in response.content:
        block += line
        if line == b"\n":
            yield block
            block = b""


def destinations(folder: Path, port: int) -> str:
    (folder / "warehouse.secret").write_text(SECRET)
    one = {
        "name": "warehouse",
        "kind": "webhook",
        "url": f"http://127.0.0.1:{port}/events",
        "secret_file": "warehouse.secret",
        "types": ["ordering.*"],
    }
    path = folder / "destinations.json"
    path.write_text(json.dumps({"destinations": [one]}))
    return str(path)


async def test_orders_reach_a_subscriber_whatever_is_killed(
    read_store_database: ReadStoreDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("EVENTFOLD_AUTH", "off")

    async def command(*arguments: str) -> list[str]:
        """What `eventfold relay` prints."""
        capsys.readouterr()
        given = ["relay", arguments[0], "--data-dir", str(tmp_path), *arguments[1:]]
        assert await asyncio.to_thread(main, given) == 0
        return capsys.readouterr().out.splitlines()

    node = await start_node(tmp_path)
    settings = {
        "eventstore_uri": node_uri(node.port),
        "mongo_uri": read_store_database.uri,
        "mongo_database": read_store_database.name,
        "consumer_lease": "1.5",
    }
    try:
        async with (
            subscriber() as (port, taken),
            running("command_api", tmp_path, **settings) as commands,
            http_session() as http,
        ):
            relay = service("event_relay", tmp_path, relay_destinations=destinations(tmp_path, port), **settings)

            async def place(order_id: str) -> None:
                async with http.put(f"{commands.url}/orders/{order_id}", json=ORDER) as response:
                    assert response.status == 201, await response.text()

            async def ask(method: str, path: str, body: Any = None) -> Any:
                async with http.request(method, relay.url + path, json=body) as response:
                    assert response.status < 300, await response.text()
                    return await response.json()

            async def has_come(number: int) -> bool:
                return len(taken) >= number

            first, second, third = (uuid.uuid4().hex for _ in range(3))
            await place(first)
            await relay.start()
            try:
                await until(lambda: has_come(1), "the first order has arrived")
                await until(lambda: relay.answers("/health/ready"), "the relay is ready")
                assert (taken[0].type, taken[0].subject) == ("ordering.order-placed.v1", first)
                assert isinstance(taken[0].correlationid, str)
                await relay.kill()
                await place(second)
                await relay.start()
                await until(lambda: relay.answers("/health/ready"), "the relay is ready again")
                await ask("POST", "/drain?timeout=60&consumer=relay_warehouse")
                assert [event.subject for event in taken if event.subject != first] == [second]
                assert len({event.id for event in taken}) == 2, "what came again has the same id"

                [told] = (await ask("GET", "/destinations"))["destinations"]
                assert (told["name"], told["paused"], told["consumer"]["parked"]) == ("warehouse", False, 0)
                assert (await ask("POST", "/destinations/warehouse/pause"))["paused"] is True
                before = len(taken)
                await place(third)
                assert (await ask("POST", "/destinations/warehouse/resume"))["paused"] is False
                await until(lambda: has_come(before + 1), "the third order has arrived")
                assert taken[-1].subject == third

                before = len(taken)
                await ask("POST", "/destinations/warehouse/replay", {"beginning": "start"})
                await until(lambda: has_come(before + 3), "everything has come again")
                assert len({event.id for event in taken}) == 3
                shown = await command("list", "--event-relay", relay.url)
                assert any(line.split()[:3] == ["warehouse", "webhook", "live"] for line in shown), shown
                assert await command("pause", "warehouse", "--event-relay", relay.url) == ["warehouse: is paused"]
                shown = await command("list", "--event-relay", relay.url)
                assert any(line.split()[:3] == ["warehouse", "webhook", "paused"] for line in shown), shown
                # The same by server-sent events: all of it, then what follows an event; a stop ends the stream.
                url = f"{relay.url}/events?types=ordering.*"
                async with http.get(f"{url}&from=start") as response:
                    assert response.headers["Content-Type"].startswith("text/event-stream")
                    found = await first_of(stream_lines(response), 3)
                assert [json.loads(one["data"])["subject"] for one in found] == [first, second, third]
                waiting = await http.get(url, headers={"Last-Event-ID": found[1]["id"]})
                [one] = await first_of(stream_lines(waiting), 1)
                assert json.loads(one["data"])["subject"] == third
                async with http.post(f"{relay.url}/destinations/nobody/pause") as response:
                    assert (response.status, "there are warehouse" in await response.text()) == (404, True)
                assert await asyncio.wait_for(relay.stop(), 60) == 0
            finally:
                if relay.running:
                    await relay.kill()
    finally:
        await node.kill()

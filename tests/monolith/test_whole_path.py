"""Tests of the whole system, against one process that has the node, the command API, the projector and the query
API; and what is of the one process alone: a crash of everything at once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.end_to_end.conftest import System, running_system
from tests.end_to_end.test_system import (  # noqa: F401 - they are run here too
    test_a_client_reads_its_own_write_in_every_view,
    test_an_event_of_an_old_version_is_read_on_all_three_paths,
)
from tests.support.services import until
from tests.support.shape import Shape


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """A fresh one each."""
    async with running_system(tmp_path, Shape.SINGLE) as system:
        yield system


async def test_what_was_acknowledged_is_there_after_a_kill(system: System) -> None:
    kept: list[str] = []

    async def trade(customer: str) -> None:
        for number in range(1_000):
            order = f"{customer}-{number}"
            body = {"customer_id": customer, "currency": "USD", "lines": [{"sku": "x", "quantity": 1, "unit_price": 1}]}
            async with system.http.put(f"{system.commands.url}/orders/{order}", json=body) as answer:
                assert answer.status == 201, await answer.text()
            kept.append(order)

    trading = asyncio.gather(*(trade(customer) for customer in "abcd"), return_exceptions=True)

    async def enough() -> bool:
        return len(kept) >= 40

    await until(enough, "forty orders are acknowledged", 200)
    system.commands.signal(signal.SIGKILL)
    await trading  # which ends with the connections
    await system.commands.kill()
    await system.commands.start()
    assert len(kept) < 4_000, "it was killed in the middle"
    await until(lambda: system.commands.answers("/health/ready"), "it is ready again", 200)
    position = await system.place("after")
    assert (await system.seen(f"/orders/after?at_least={position}"))["version"] == 0
    for order in kept:
        assert (await system.seen(f"/orders/{order}"))["status"] == "pending"


async def test_a_command_under_way_is_carried_out_when_it_is_asked_to_stop(system: System) -> None:
    line = b'{"sku": "x", "quantity": 1, "unit_price": 1}'
    body = b'{"customer_id": "ada", "currency": "USD", "lines": [' + line + b"]}"
    head = b"PUT /orders/o-1 HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", system.commands.port)
    writer.write(head % len(body) + body[:20])

    async def under_way() -> bool:
        async with system.http.get(f"{system.commands.url}/metrics") as answer:
            return "eventfold_http_requests_in_flight 2.0" in await answer.text()

    await until(under_way, "the command is under way", 200)
    system.commands.signal(signal.SIGTERM)
    writer.write(body[20:])
    assert (await reader.read()).startswith(b"HTTP/1.1 201 ")
    writer.close()
    assert await system.commands.stop() == 0
    assert b"Traceback" not in system.commands.log.read_bytes()

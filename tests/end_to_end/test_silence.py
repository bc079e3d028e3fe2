"""Servers that fall silent (SIGSTOP): no answer, no error, no closed connection."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.conftest import LINE, System
from tests.support.http_session import http_session
from tests.support.services import Service, Within, until

SETTINGS = {"eventstore_deadline": "3", "eventstore_retry_timeout": "1", "readstore_timeout": "3"}
ORDER = {"customer_id": "ada", "currency": "USD", "lines": [LINE], "ordered_at": "2026-03-14T12:00:00Z"}
MANY = 100


@contextmanager
def silent(pid: int | None) -> Iterator[None]:
    """The process neither answers nor ends, for the block."""
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def circuit(system: System, service: Service, dependency: str) -> dict[str, float]:
    """What the service counts of its calls to a dependency: opened, refused, state."""
    async with system.http.get(service.url + "/metrics") as answer:
        families = text_string_to_metric_families(await answer.text())
    return {
        family.name.removeprefix("eventfold_circuit_"): sample.value
        for family in families
        if family.name.startswith("eventfold_circuit_")
        for sample in family.samples
        if sample.labels.get("dependency") == dependency and not sample.name.endswith("_created")
    }


async def notices(system: System, service: Service, dependency: str) -> None:
    async def noticed() -> bool:
        return (await circuit(system, service, dependency)).get("opened", 0) > 0

    await until(noticed, f"{service.name} has noticed that {dependency} is silent", 60)


async def assert_not_ready(system: System, service: Service, dependency: str) -> None:
    async with system.http.get(service.url + "/health/ready") as ready:
        assert ready.status == 503
        told = (await ready.json())["dependencies"]
        # In one process each name begins with the service's.
        details = [one["detail"] for name, one in told.items() if name.rpartition(".")[2] == dependency]
        assert any("not asked" in detail for detail in details), told


class Writer:
    """Places orders under keys of their own, and repeats each until it is taken."""

    def __init__(self, system: System, name: str) -> None:
        self.system = system
        self.name = name
        self.positions: list[int] = []
        self.placed: list[str] = []
        self.refused = 0

    async def run(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            order_id = f"{self.name}-{len(self.placed)}"
            while True:
                status, answer = await self.system.command(
                    "PUT", f"/orders/{order_id}", ORDER, **{"Idempotency-Key": order_id}
                )
                if status == 201:
                    break
                assert (status, answer["type"]) == (503, "urn:eventfold:problem:unavailable")
                self.refused += 1
                # Not a wait for something to have happened: only so as not to spin.
                await asyncio.sleep(0.05)
            self.placed.append(order_id)
            self.positions.append(answer["position"])


@pytest.mark.many_processes  # a node that is a part of the process can't fall silent alone
async def test_a_silent_event_store_is_noticed_once_and_commands_are_refused_until_it_answers(system):
    await system.reached(await system.place("before"))
    writers, enough = [Writer(system, f"writer{number}") for number in range(8)], asyncio.Event()
    load = [asyncio.create_task(writer.run(enough)) for writer in writers]

    async def all_at_work() -> bool:
        return all(len(writer.placed) > 2 for writer in writers)

    await until(all_at_work, "every writer has placed orders")
    with silent(system.node.pid):
        await notices(system, system.commands, "event_store")
        before = await circuit(system, system.commands, "event_store")
        for number in range(MANY):
            async with system.http.put(f"{system.commands.url}/orders/o-{number}", json=ORDER) as refused:
                assert refused.status == 503
                assert int(refused.headers["Retry-After"]) >= 1
                assert refused.content_type == "application/problem+json"
        after = await circuit(system, system.commands, "event_store")
        assert after["refused"] - before["refused"] >= MANY, "each was refused without a call to the store"
        assert after["opened"] == 1
        await assert_not_ready(system, system.commands, "event_store")
        # The views that there are go on being served; what needs the log is refused, too.
        assert (await system.seen("/orders/before"))["status"] == "pending"
        await until(lambda: history_is_refused(system), "the query API has noticed it as well", 60)

    async def all_go_on(counts: Counter[str]) -> bool:
        return all(len(writer.placed) > counts[writer.name] + 2 for writer in writers)

    counts = Counter({writer.name: len(writer.placed) for writer in writers})
    await until(lambda: all_go_on(counts), "commands are taken again", 60)
    enough.set()
    await asyncio.gather(*load)
    assert sum(writer.refused for writer in writers) > 0
    await system.reached(max(position for writer in writers for position in writer.positions))
    streams = Counter([event.stream async for event in system.store.read_all()])
    assert streams == Counter(["order-before", *(f"order-{order}" for writer in writers for order in writer.placed)])
    assert (await system.seen("/customers/ada"))["orders"] == len(streams)


async def history_is_refused(system: System) -> bool:
    before = await circuit(system, system.queries, "event_store")
    status, problem = await system.query("/orders/before/history")
    after = await circuit(system, system.queries, "event_store")
    assert (status, problem["type"]) == (503, "urn:eventfold:problem:unavailable")
    return after.get("refused", 0) > before.get("refused", 0)


async def test_a_silent_read_store_is_noticed_once_and_queries_are_refused_until_it_answers(system):
    await system.reached(await system.place("before"))
    assert (await system.seen("/orders/before"))["status"] == "pending"
    with silent(system.read_store.pid):
        paths = ["/orders/before", "/orders?status=pending", "/customers/ada", "/orders/before?at_least=1"]
        first = await asyncio.gather(*(system.query(path) for path in paths * 10))
        assert {status for status, _ in first} == {503}
        await notices(system, system.queries, "read_store")
        for number in range(MANY):
            async with system.http.get(system.queries.url + paths[number % len(paths)]) as refused:
                assert refused.status == 503
                assert int(refused.headers["Retry-After"]) >= 1
        after = await circuit(system, system.queries, "read_store")
        # In one process the projector, which has found it out for itself, is counted as well.
        services = 2 if isinstance(system.projector, Within) else 1
        assert 1 <= after["opened"] <= services
        assert after["refused"] >= MANY
        assert after["state"] > 0
        await assert_not_ready(system, system.queries, "read_store")
        # Commands need no view.
        positions = [await system.place(f"later-{number}") for number in range(5)]
        await notices(system, system.projector, "read_store")
        async with system.http.get(system.projector.url + "/status") as answer:
            assert answer.status in (200, 503)
    await system.reached(positions[-1])

    async def answered() -> bool:
        return (await system.query("/orders/before"))[0] == 200

    await until(answered, "queries are answered again", 60)
    assert (await system.seen(f"/customers/ada?at_least={positions[-1]}"))["orders"] == 6


@pytest.mark.many_processes
async def test_services_stop_gracefully_while_both_stores_are_silent(system):
    await system.reached(await system.place("before"))
    assert (await system.seen("/orders/before"))["status"] == "pending"

    async def ask(url: str) -> int:
        async with http_session() as http, http.get(url) as answer:
            return answer.status

    async def send() -> int:
        status, _ = await system.command("PUT", "/orders/o-1", ORDER)
        return status

    services = (system.commands, system.queries, system.projector)
    with silent(system.node.pid), silent(system.read_store.pid):
        under_way = [
            asyncio.create_task(send()),
            asyncio.create_task(ask(system.queries.url + "/orders/before")),
            asyncio.create_task(ask(system.queries.url + "/orders/before/history")),
            asyncio.create_task(ask(system.projector.url + "/dead-letters")),
        ]
        for service in services:
            # Once this is answered, what was sent before it is under way.
            assert await service.answers("/health/live")
        codes = await asyncio.gather(*(service.stop() for service in services))
        assert codes == [0, 0, 0]
        assert set(await asyncio.gather(*under_way)) == {503}
    for service in services:
        assert "timeout graceful shutdown exceeded" not in service.log.read_text()

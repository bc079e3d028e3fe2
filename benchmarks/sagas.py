"""Sagas a second, and where their time goes, beside the same steps called straight through HTTP.

Orders of two articles are placed by 32 clients; the process manager reserves both, requests the charge and confirms; a
stand-in for the provider records each charge as soon as it stands in the log. Beside it, on the same services with the
process manager stopped, clients send the same five commands themselves, one after the other. A saga counts from the
order's acceptance to its confirmation. Before that, orders are placed one at a time, for the latency without a queue.
"""

import asyncio
import statistics
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import uvloop

from domain.model.process_events import CommandAnswered, CommandIssued
from domain.ordering.events import OrderConfirmed, OrderCreated
from domain.payments.events import ChargeRequested
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from tests.process_manager.bundled import application
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, node_uri, start_node, until

ORDERS = 600
ALONE = 40
CLIENTS = 32
APPLICATION = application(FulfilmentTimes())
CODEC = EventCodec(APPLICATION.aggregates, APPLICATION.processes)
ARTICLES = 200


async def run() -> None:
    """Prints sagas a second, the latency of a saga and of each step, and CPU seconds of each process a saga."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        settings = {
            "EVENTFOLD_EVENTSTORE_URI": node_uri(node.port),
            "EVENTFOLD_MONGO_URI": read_store.uri,
            "EVENTFOLD_LOG_LEVEL": "warning",
        }
        api = await _service(stack, folder, "command-api", settings)
        manager = await _service(stack, folder, "process-manager", {**settings, "EVENTFOLD_COMMANDS_URL": api.url})
        log = EventStore(node_uri(node.port), deadline=30)
        stack.push_async_callback(log.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for sku in range(ARTICLES):
            await _post(http, api, f"/stock/A-{sku}/receive", {"quantity": 1_000_000})
        confirmed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        charging = asyncio.create_task(_charge(log, http, api, confirmed))
        for number in range(ALONE):
            await _place(http, api, f"alone-{number}")
            await confirmed[f"alone-{number}"].wait()
        processes = {"node": node, "command API": api, "process manager": manager}
        before = {name: _cpu(one) for name, one in processes.items()}
        began = perf_counter()
        await _many(lambda number: _place(http, api, f"saga-{number}"))
        await asyncio.gather(*(confirmed[f"saga-{number}"].wait() for number in range(ORDERS)))
        sagas = perf_counter() - began
        used = {name: (_cpu(one) - before[name]) / ORDERS * 1000 for name, one in processes.items()}
        charging.cancel()
        await manager.kill()
        began = perf_counter()
        straight_latencies: list[float] = []
        await _many(lambda number: _straight(http, api, f"straight-{number}", straight_latencies))
        straight = perf_counter() - began
        alone, alone_steps = await _latencies(log, "alone")
        whole, steps = await _latencies(log, "saga")
    print(f"{ORDERS / sagas:.0f} sagas/s ({ORDERS} orders); the same commands straight: {ORDERS / straight:.0f}/s, ")
    print(
        f"  {sagas / straight:.1f} times as long; CPU a saga: "
        + ", ".join(f"{n} {ms:.1f} ms" for n, ms in used.items())
    )
    print(f"  from placed to confirmed: {_shown(whole)}; straight: {_shown(straight_latencies)}")
    for step, seconds in steps.items():
        print(f"  {step}, from issue to answer: {_shown(seconds)}")
    print(f"one order at a time, from placed to confirmed: {_shown(alone)}")
    for step, seconds in alone_steps.items():
        print(f"  {step}, from issue to answer: {_shown(seconds)}")


def _shown(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"


def _cpu(service: Service) -> float:
    fields = Path(f"/proc/{service.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def _service(stack: AsyncExitStack, folder: Path, name: str, settings: dict[str, str]) -> Service:
    port = free_port()
    environ = {**settings, f"EVENTFOLD_{name.replace('-', '_').upper()}_PORT_NUMBER": str(port)}
    service = Service(name, port, ["tests.process_manager.bundled", name], environ, folder / f"{name}.log")
    await service.start()
    stack.push_async_callback(service.kill)
    await until(lambda: service.answers("/health/ready"), f"{name} is ready", 60)
    return service


async def _many(one: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(ORDERS))

    async def client() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


async def _post(http: aiohttp.ClientSession, api: Service, path: str, body: Any, method: str = "POST") -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    async with http.request(method, api.url + path, json=body, headers=headers) as response:
        if response.status >= 300:
            raise RuntimeError(f"{path}: {response.status} {await response.text()}")


def _skus(order: str) -> list[str]:
    number = int(order.rpartition("-")[2])
    return [f"A-{number % ARTICLES}", f"A-{(number * 7 + 3) % ARTICLES}"]


async def _place(http: aiohttp.ClientSession, api: Service, order: str) -> None:
    lines = [{"sku": sku, "quantity": 1, "unit_price": 50} for sku in _skus(order)]
    body = {"customer_id": "ada", "currency": "EUR", "lines": lines}
    await _post(http, api, f"/orders/{order}", body, "PUT")


async def _straight(http: aiohttp.ClientSession, api: Service, order: str, latencies: list[float]) -> None:
    await _place(http, api, order)
    began = perf_counter()
    for sku in sorted(set(_skus(order))):
        await _post(http, api, f"/stock/{sku}/reserve", {"order_id": order, "quantity": _skus(order).count(sku)})
    payment = {"customer_id": "ada", "currency": "EUR", "amount": 100}
    await _post(http, api, f"/payments/{order}/request-charge", payment)
    charge = {"charge_id": "ch", "currency": "EUR", "amount": 100}
    await _post(http, api, f"/payments/{order}/record-charge", charge)
    await _post(http, api, f"/orders/{order}/confirm", {})
    latencies.append(perf_counter() - began)


async def _charge(
    log: EventStore, http: aiohttp.ClientSession, api: Service, confirmed: defaultdict[str, asyncio.Event]
) -> None:
    """Records each charge that is requested, many at a time; sets the event of each order that is confirmed."""
    async with asyncio.TaskGroup() as tasks, log.subscribe(None) as subscription:
        while True:
            for stored in (await subscription.next_batch()).events:
                if stored.type == "OrderConfirmed":
                    confirmed[stored.stream.partition("-")[2]].set()
                if stored.type == "ChargeRequested":
                    event: ChargeRequested = CODEC.decode(stored).event  # type: ignore[assignment]
                    body = {"charge_id": "ch", "currency": event.currency, "amount": event.amount}
                    tasks.create_task(_post(http, api, f"/payments/{event.order_id}/record-charge", body))


async def _latencies(log: EventStore, kind: str) -> tuple[list[float], dict[str, list[float]]]:
    """From placed to confirmed, and from issue to answer by step; in seconds, by the events' own times."""
    placed, issued = {}, {}
    whole: list[float] = []
    steps: defaultdict[str, list[float]] = defaultdict(list)
    async for stored in log.read_all():
        event = CODEC.decode(stored).event if CODEC.is_ours(stored) else None
        match event:
            case OrderCreated():
                placed[event.order_id] = event.created_at
            case OrderConfirmed() if event.order_id.startswith(kind):
                whole.append((event.confirmed_at - placed[event.order_id]).total_seconds())
            case CommandIssued():
                issued[event.command] = event.at
            case CommandAnswered() if event.instance.startswith(kind):
                steps[event.step.partition(":")[0]].append((event.at - issued[event.command]).total_seconds())
    return whole, steps


if __name__ == "__main__":
    uvloop.run(run())

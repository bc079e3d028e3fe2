"""Orders are fulfilled over real processes: command API, node, process managers, all of them killed on the way."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from domain.inventory.aggregate import STOCK
from domain.ordering.aggregate import ORDER
from domain.ordering.events import OrderConfirmed, OrderShipped
from domain.ordering.order import Status as OrderStatus
from domain.payments.aggregate import PAYMENT
from domain.payments.events import ChargeRequested, RefundRequested
from domain.payments.payment import Status as PaymentStatus
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore, EventStoreUnavailable
from process_manager.instances.instance import Instance
from tests.process_manager.bundled import application
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, node_uri, restart_node, start_node, until

APPLICATION = application(FulfilmentTimes())
CODEC = EventCodec(APPLICATION.aggregates, APPLICATION.processes)
(PROCESS,) = APPLICATION.processes
MODULE = "tests.process_manager.bundled"
SKUS = ("A", "B", "C")


class Shop:
    """The services, a customer, a payment provider and a warehouse, all of them in the test's hands."""

    def __init__(self, folder: Path, node: Service, database: ReadStoreDatabase, patience: float) -> None:
        self.node = node
        self.log = EventStore(node_uri(node.port), retry_timeout=60)
        self.http = http_session()
        self._folder = folder
        self._settings = {
            "EVENTFOLD_EVENTSTORE_URI": node_uri(node.port),
            "EVENTFOLD_EVENTSTORE_RETRY_TIMEOUT": "5",
            "EVENTFOLD_MONGO_URI": database.uri,
            "EVENTFOLD_MONGO_DATABASE": database.name,
            "EVENTFOLD_CONSUMER_PARTITIONS": "2",
            "EVENTFOLD_CONSUMER_LEASE": "1.5",
            "PATIENCE": str(patience),
        }
        self.command_api = self._service("command-api", "command-api")
        self._settings["EVENTFOLD_COMMANDS_URL"] = self.command_api.url
        self.managers = [self._service("process-manager", name) for name in ("a", "b")]
        self.projector = self._service("projector", "projector")
        self.query_api = self._service("query-api", "query-api")

    def _service(self, service: str, name: str) -> Service:
        port, variable = free_port(), service.replace("-", "_").upper()
        environ = {
            **self._settings,
            f"EVENTFOLD_{variable}_PORT_NUMBER": str(port),
            "EVENTFOLD_CONSUMER_NAME": name,
        }
        return Service(name, port, [MODULE, service], environ, self._folder / f"{name}.log")

    async def start(self, *services: Service) -> None:
        for one in services:
            await one.start()
        for one in services:
            await until(one.answers, f"{one.name} answers", 60)

    async def command(self, method: str, path: str, body: Any, key: str) -> int:
        """The status; tried until there is a definite one."""
        while True:
            try:
                headers = {"Idempotency-Key": key}
                async with self.http.request(
                    method, self.command_api.url + path, json=body, headers=headers
                ) as response:
                    await response.read()
                    if response.status < 500:
                        return response.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            await asyncio.sleep(0.02)

    async def ask(self, service: Service, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.http.request(method, service.url + path, json=body) as response:
            return response.status, await response.json()

    async def receive(self, sku: str, quantity: int) -> None:
        assert await self.command("POST", f"/stock/{sku}/receive", {"quantity": quantity}, f"r-{sku}") == 200

    async def place(self, order: str, *lines: tuple[str, int, int]) -> None:
        body = {
            "customer_id": "ada",
            "currency": "EUR",
            "lines": [{"sku": sku, "quantity": quantity, "unit_price": price} for sku, quantity, price in lines],
        }
        assert await self.command("PUT", f"/orders/{order}", body, f"p-{order}") == 201

    async def others(self, *, declines: str = "", silent: str = "", unshipped: str = "") -> None:
        """The provider charges, declines or says nothing, by the first letter of the order, and gives all money back;
        the warehouse ships what is confirmed. Until it is cancelled."""
        after = None
        while True:
            try:
                async for stored in self.log.read_all(after):
                    after = stored.position
                    if CODEC.is_ours(stored):
                        await self._other(CODEC.decode(stored).event, declines, silent, unshipped)
            except EventStoreUnavailable:
                pass
            await asyncio.sleep(0.02)

    async def _other(self, event: Any, declines: str, silent: str, unshipped: str) -> None:
        match event:
            case ChargeRequested(order_id) if order_id.startswith(tuple(declines)):
                await self.command("POST", f"/payments/{order_id}/record-decline", {"reason": "no"}, f"d-{order_id}")
            case ChargeRequested(order_id) if not order_id.startswith(tuple(silent)):
                body = {"charge_id": f"ch_{order_id}", "currency": event.currency, "amount": event.amount}
                await self.command("POST", f"/payments/{order_id}/record-charge", body, f"c-{order_id}")
            case RefundRequested(order_id):
                await self.command("POST", f"/payments/{order_id}/record-refund", {"refund_id": "re"}, f"b-{order_id}")
            case OrderConfirmed(order_id) if not order_id.startswith(tuple(unshipped)):
                body = {"carrier": "DHL", "tracking_number": "1Z"}
                await self.command("POST", f"/orders/{order_id}/ship", body, f"s-{order_id}")

    async def folded(self) -> tuple[dict[str, Instance], dict[tuple[str, str], Any], list[Any]]:
        """Every instance, every aggregate, and every domain event, as the log tells them."""
        instances: dict[str, Instance] = {}
        states: dict[tuple[str, str], Any] = {}
        events = []
        async for stored in self.log.read_all():
            if not CODEC.is_ours(stored):
                continue
            category, _, name = stored.stream.partition("-")
            if category == PROCESS.name:
                instances.setdefault(name, Instance(PROCESS, name)).take(stored, CODEC)
                continue
            event = CODEC.decode(stored).event
            (aggregate,) = [one for one in (ORDER, STOCK, PAYMENT) if one.category == category]
            states[category, name] = aggregate.evolve(states.get((category, name)), event)
            events.append(event)
        return instances, states, events

    async def all_ended(self, orders: list[str]) -> bool:
        instances, _, _ = await self.folded()
        return all(order in instances and instances[order].outcome for order in orders)

    async def close(self) -> None:
        for one in (*self.managers, self.projector, self.query_api, self.command_api):
            if one.log.exists() and one.running:
                await one.kill()
        await self.http.close()
        await self.log.close()


@pytest_asyncio.fixture
async def shop(read_store_database: ReadStoreDatabase, tmp_path: Path) -> AsyncIterator[Shop]:
    node = await start_node(tmp_path)
    shop = Shop(tmp_path, node, read_store_database, patience=2)
    try:
        yield shop
    finally:
        await shop.close()
        await node.kill()


async def check(shop: Shop, orders: list[str], there: dict[str, int]) -> Counter[str]:
    """What must hold when all has ended; gives the orders' states."""
    instances, states, events = await shop.folded()
    confirmed = Counter(event.order_id for event in events if isinstance(event, OrderConfirmed))
    shipped: Counter[str] = Counter()
    for order in orders:
        status, instance = states["order", order].status, instances[order]
        payment = states.get(("payment", order))
        assert not instance.stuck
        assert status in (OrderStatus.SHIPPED, OrderStatus.CANCELLED), (order, status)
        assert instance.outcome == ("fulfilled" if status is OrderStatus.SHIPPED else "cancelled")
        if status is OrderStatus.SHIPPED:
            assert confirmed[order] == 1
            assert payment.status is PaymentStatus.CHARGED
            shipped.update({sku: one.quantity for sku, one in instance.state.stock.items()})
        else:
            assert payment is None or payment.status in (
                PaymentStatus.DECLINED,
                PaymentStatus.VOIDED,
                PaymentStatus.REFUNDED,
            )
    for sku, quantity in there.items():
        stock = states["stock", sku]
        assert stock.reserved == {}, "no reservation is left behind"
        assert stock.on_hand == stock.available == quantity - shipped[sku], "to the unit"
    assert len([event for event in events if isinstance(event, OrderShipped)]) == len(
        [order for order in orders if states["order", order].status is OrderStatus.SHIPPED]
    )
    return Counter(str(states["order", order].status) for order in orders)


async def rounds(shop: Shop, number: int, seed: int) -> Counter[str]:
    """Orders are placed while somebody is killed, again and again; then all comes to its end."""
    choose = random.Random(seed)
    there = {"A": 40 * number // 6, "B": 30 * number // 6, "C": 4}
    await shop.start(shop.command_api, *shop.managers)
    for sku, quantity in there.items():
        await shop.receive(sku, quantity)
    others = asyncio.create_task(shop.others(declines="d", silent="s"))
    orders: list[str] = []
    victims = [shop.command_api, shop.node, *shop.managers]
    for turn in range(number):
        for index in range(5):
            order = f"{choose.choice('gggds')}{turn}-{index}"
            lines = [(sku, choose.randrange(1, 3), 10) for sku in choose.sample(SKUS, choose.randrange(1, 3))]
            placing = asyncio.create_task(shop.place(order, *lines))
            orders.append(order)
            if index == 2:
                victim = victims[turn % len(victims)] if number < 10 else choose.choice(victims)
                await victim.kill()
                await (restart_node(victim) if victim is shop.node else shop.start(victim))
            await placing
            if choose.random() < 0.1:
                await shop.command("POST", f"/orders/{order}/cancel", {"reason": "changed my mind"}, f"x-{order}")
    await until(lambda: shop.all_ended(orders), "every saga ends", 120)
    others.cancel()
    return await check(shop, orders, there)


# Over all services and with the provider's faults: tests/end_to_end/test_sagas.py.
@pytest.mark.slow
async def test_orders_come_to_their_end_while_everybody_is_killed(shop):
    found = await rounds(shop, 6, seed=4)
    assert found["shipped"]
    assert found["cancelled"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_orders_come_to_their_end_while_everybody_is_killed_for_long(shop, seed):
    await rounds(shop, 40, seed=seed)


async def test_a_manager_that_is_asked_shows_retries_and_resolves(shop, tmp_path):
    await shop.start(shop.command_api, shop.managers[0], shop.projector, shop.query_api)
    await shop.receive("A", 5)
    others = asyncio.create_task(shop.others(unshipped="w"))
    await shop.place("w1", ("A", 2, 10))
    manager = shop.managers[0]

    async def is_confirmed() -> bool:
        status, body = await shop.ask(shop.query_api, "GET", "/fulfilments/w1")
        return status == 200 and body["status"] == "confirmed"

    await until(is_confirmed, "it is confirmed, and the view tells it", 60)
    _, shown = await shop.ask(manager, "GET", "/processes/order_fulfilment/instances/w1")
    assert [(one["step"], one["accepted"]) for one in shown["commands"]] == [
        ("reserve:A", True),
        ("charge", True),
        ("confirm", True),
    ]
    assert [one["name"] for one in shown["timers"]] == ["shipment-reminder"]
    _, view = await shop.ask(shop.query_api, "GET", "/fulfilments/w1")
    assert [one["step"] for one in view["steps"]] == ["reserve:A", "charge", "confirm"]

    # Somebody takes the reservation away by hand, so that shipping it out must fail.
    gone = {"order_id": "w1", "reason": "a mistake"}
    assert await shop.command("POST", "/stock/A/release", gone, "by-hand") == 200
    await shop.command("POST", "/orders/w1/ship", {"carrier": "DHL", "tracking_number": "1Z"}, "ship-w1")

    async def is_stuck() -> bool:
        _, page = await shop.ask(manager, "GET", "/processes/order_fulfilment/instances?status=stuck")
        return [one["instance"] for one in page["instances"]] == ["w1"]

    await until(is_stuck, "it is shown as stuck", 60)
    listed = await sagas(manager, tmp_path, "list", "--stuck")
    assert "w1" in listed
    assert "an operator: ship-out:A" in listed
    assert "nothing-reserved" in await sagas(manager, tmp_path, "show", "w1")
    status, page = await shop.ask(shop.query_api, "GET", "/fulfilments?status=stuck")
    assert status == 200
    assert [one["order_id"] for one in page["items"]] == ["w1"]
    assert "tried again" in await sagas(manager, tmp_path, "retry", "w1")
    await until(is_stuck, "it is stuck again", 60)

    async def is_over() -> bool:
        _, one = await shop.ask(manager, "GET", "/processes/order_fulfilment/instances/w1")
        return one["status"] == "ended"

    while "no step waits" in await sagas(manager, tmp_path, "resolve", "w1", "--reason", "counted anew", fails=True):
        pass
    await until(is_over, "it ends", 60)
    status, refused = await shop.ask(manager, "POST", "/processes/order_fulfilment/instances/w1/retry", {})
    assert (status, refused["type"]) == (409, "urn:eventfold:problem:not-stuck")
    status, _ = await shop.ask(manager, "GET", "/processes/order_fulfilment/instances/nobody")
    assert status == 404
    status, _ = await shop.ask(manager, "GET", "/processes/nothing/instances")
    assert status == 404
    path = "/processes/order_fulfilment/instances/w1/resolve"
    for body in ({}, {"reason": ""}, {"reason": "x" * 1001}, {"reason": "why", "steps": 1}, {"reason": 7}):
        status, _ = await shop.ask(manager, "POST", path, body)
        assert status == 400, body
    _, told = await shop.ask(manager, "GET", "/status")
    assert [(one["name"], one["state"]) for one in told["consumers"]] == [("order_fulfilment", "live")]
    async with shop.http.get(manager.url + "/metrics") as response:
        metrics = await response.text()
    assert (
        'eventfold_process_commands_total{outcome="nothing-reserved",process="order_fulfilment",step="ship-out"}'
        in (metrics)
    )
    others.cancel()
    assert await manager.stop() == 0


async def sagas(manager: Service, folder: Path, *arguments: str, fails: bool = False) -> str:
    """What `eventfold sagas` prints."""
    import sys

    from tests.support.services import ROOT

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "sagas", *arguments),
        *("--process-manager", manager.url, "--data-dir", str(folder)),
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = " ".join(output.decode().split())
    assert fails or process.returncode == 0, text
    return text

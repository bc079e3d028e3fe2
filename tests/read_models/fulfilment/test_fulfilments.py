"""The view of fulfilments, made of the streams of a process that is run over the contexts' own rules."""

from datetime import timedelta
from typing import Any

import msgspec

from domain.model.process_events import ProcessEnded
from domain.ordering.events import Line, OrderCreated, OrderShipped
from domain.payments.events import PaymentCharged, PaymentDeclined
from domain.processes.order_fulfilment.decider import FulfilmentTimes
from read_models.fulfilment.fulfilments import FULFILMENTS
from tests.process_manager.bundled import application
from tests.process_manager.world import NOON, Answer, World, managing, until
from tests.projector.running import project_all
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.logs import PlainFold

APPLICATION = application(FulfilmentTimes(payment=timedelta(days=1)))


def created(order: str, *skus: str) -> OrderCreated:
    lines = [Line(sku, 2, 50, 0, 100) for sku in skus]
    return OrderCreated(order, "ada", "EUR", lines, 2 * len(lines), 100 * len(lines), NOON, NOON)


async def shop() -> World:
    world = World(APPLICATION)
    assert (await world.send("stock", "A", "receive", {"quantity": 10}, key="received")).accepted
    return world


async def documents(world: World) -> dict[str, dict[str, Any]]:
    """What the view comes to: folded plainly, in one batch, event by event, and over what is there already."""
    log = list(world.log)
    expected, parked = PlainFold(APPLICATION)(FULFILMENTS, log)
    assert parked == set()
    for cuts in ([], [1] * len(log)):
        store = MemoryReadStore()
        for _ in range(2):
            await project_all(ScriptedLog(log, cuts), store, [FULFILMENTS], codec=world.codec)
            assert store.documents(FULFILMENTS.collection) == expected
            del store.collections["checkpoints"]
    return expected


def steps(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["step"], one["state"]) for one in document["steps"]]


async def test_an_order_that_is_fulfilled():
    world = await shop()
    async with managing(world):
        await world.happen("order-o1", created("o1", "A"))
        await until(lambda: "charge" in [one.issued.step for one in world.instance("o1").commands.values()])
        await until(lambda: not world.instance("o1").open_commands)
        (document,) = (await documents(world)).values()
        assert (document["status"], [one["name"] for one in document["timers"]]) == ("charging", ["payment"])
        await world.happen("payment-o1", PaymentCharged("o1", "ada", "EUR", 100, "ch", NOON))
        await until(lambda: world.instance("o1").state.order == "confirmed")
        (document,) = (await documents(world)).values()
        assert (document["status"], [one["name"] for one in document["timers"]]) == ("confirmed", ["shipment-reminder"])
        await world.happen("order-o1", OrderShipped("o1", "ada", "DHL", "1Z", NOON))
        await until(lambda: world.instance("o1").outcome == "fulfilled")
    (document,) = (await documents(world)).values()
    assert (document["status"], document["timers"]) == ("fulfilled", [])
    assert steps(document) == [(step, "accepted") for step in ("reserve:A", "charge", "confirm", "ship-out:A")]
    assert all(one["issued_at"] <= one["answered_at"] for one in document["steps"])
    assert (document["customer_id"], document["currency"], document["total"]) == ("ada", "EUR", 100)
    assert "reason" not in document
    assert document["ended_at"] >= document["started_at"]


async def test_an_order_that_is_undone_and_gets_stuck():
    world = await shop()
    world.refuse = lambda plural, _id, action: Answer(False, 409, "jammed", "it is") if action == "release" else None
    async with managing(world):
        await world.happen("order-o1", created("o1", "A"))
        await until(lambda: "charge" in [one.issued.step for one in world.instance("o1").commands.values()])
        await until(lambda: not world.instance("o1").open_commands)
        await world.happen("payment-o1", PaymentDeclined("o1", "ada", "EUR", 100, "no funds", NOON))
        await until(lambda: world.instance("o1").stuck)
        (document,) = (await documents(world)).values()
        assert (document["status"], document["reason"]) == ("stuck", "the payment was declined: no funds")
        assert steps(document)[-1] == ("release:A", "failed")
        assert (document["steps"][-1]["code"], document["steps"][-1]["detail"]) == ("jammed", "it is")
        await world.operations.retry("order_fulfilment", "o1")
        await until(lambda: world.instance("o1").stuck and len(world.instance("o1").commands) == 4)
        (document,) = (await documents(world)).values()
        assert steps(document)[-2:] == [("release:A", "refused"), ("release:A", "failed")]
        await world.operations.resolve("order_fulfilment", "o1", "put back by hand")
        await until(lambda: world.instance("o1").outcome == "cancelled")
    (document,) = (await documents(world)).values()
    assert document["status"] == "cancelled"
    assert steps(document)[-2:] == [("release:A", "resolved"), ("cancel", "accepted")]


def test_events_of_another_process_are_none_of_its_business():
    other = ProcessEnded("porch_light", "o1", "delivered", NOON)
    assert FULFILMENTS.keys(other) == ()
    assert FULFILMENTS.keys(msgspec.structs.replace(other, process="order_fulfilment")) == ("o1",)

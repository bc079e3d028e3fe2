"""Inventory, payments and notifications over real processes: commands, what is projected of them, queries."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.inventory.events import StockReserved
from infrastructure.event_store import ANY_REVISION, NewEvent
from tests.end_to_end.conftest import System, running_system
from tests.support.bundled import CODEC
from tests.support.services import node_uri, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS, STOCK, WANTED = 50, 60, 2
OWN = ("tea", "cup")
DELETED = b'{"$tb": 9223372036854775807}'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for all of them; each test has articles and orders of its own."""
    async with running_system(tmp_path_factory.mktemp("contexts")) as system:
        yield system


async def done(system: System, path: str, body: Any, key: str = "") -> int:
    """A command that is carried out; its position."""
    headers = {"Idempotency-Key": key} if key else {}
    status, answer = await system.command("POST", path, body, **headers)
    assert status == 200, answer
    return int(answer["position"])


async def refused(system: System, path: str, body: Any, key: str = "") -> tuple[int, str]:
    """A command that is not; the status, and the code of the rule or the kind of the problem."""
    headers = {"Idempotency-Key": key} if key else {}
    status, problem = await system.command("POST", path, body, **headers)
    assert status >= 400, problem
    return status, problem.get("code", problem["type"].rpartition(":")[2])


def without_times(value: Any) -> Any:
    """The answer without times and positions, which differ from run to run."""
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if isinstance(value, dict):
        return {name: without_times(one) for name, one in value.items() if not name.endswith(("_at", "_position"))}
    return value


async def test_stock_is_received_reserved_released_and_shipped_out(system: System) -> None:
    reserve = {"order_id": "o-1", "quantity": 4}
    assert await refused(system, "/stock/tea/reserve", reserve) == (404, "not-found")
    await done(system, "/stock/tea/receive", {"quantity": 10}, "delivery-1")
    await done(system, "/stock/cup/receive", {"quantity": 1})
    reserved = await done(system, "/stock/tea/reserve", reserve, "o-1:reserve:tea")
    await done(system, "/stock/cup/reserve", {"order_id": "o-1", "quantity": 1}, "o-1:reserve:cup")
    position = await done(system, "/stock/tea/reserve", {"order_id": "o-2", "quantity": 3}, "o-2:reserve:tea")
    assert await refused(system, "/stock/tea/reserve", {"order_id": "o-3", "quantity": 4}) == (409, "out-of-stock")
    assert await refused(system, "/stock/tea/reserve", reserve) == (409, "already-reserved")

    # What the sender repeats is answered as before, and nothing is done.
    assert await done(system, "/stock/tea/receive", {"quantity": 10}, "delivery-1") < reserved
    assert await done(system, "/stock/tea/reserve", reserve, "o-1:reserve:tea") == reserved
    assert await refused(system, "/stock/tea/reserve", {"order_id": "o-1", "quantity": 5}, "o-1:reserve:tea") == (
        422,
        "idempotency-key-reused",
    )

    tea = await system.seen(f"/stock/tea?at_least={position}")
    assert without_times(tea) == {"sku": "tea", "on_hand": 10, "reserved": 7, "available": 3, "version": 3}
    low = await system.seen(f"/low-stock?to=3&at_least={position}")
    assert [one for one in low["items"] if one["sku"] in OWN] == [
        {"sku": "cup", "on_hand": 1, "reserved": 1, "available": 0},
        {"sku": "tea", "on_hand": 10, "reserved": 7, "available": 3},
    ]
    waiting = await system.seen(f"/reservations?status=open&at_least={position}")
    assert [one["order_id"] for one in waiting["items"] if one["order_id"].startswith("o-")] == ["o-2", "o-1"]

    released = await done(system, "/stock/tea/release", {"order_id": "o-1", "reason": "declined"}, "o-1:release:tea")
    assert (
        await done(system, "/stock/tea/release", {"order_id": "o-1", "reason": "declined"}, "o-1:release:tea")
        == released
    )
    assert await refused(system, "/stock/tea/release", {"order_id": "o-1", "reason": "x"}) == (409, "nothing-reserved")
    await done(system, "/stock/cup/release", {"order_id": "o-1", "reason": "declined"})
    shipped = await done(system, "/stock/tea/ship-out", {"order_id": "o-2"}, "o-2:ship:tea")
    assert await done(system, "/stock/tea/ship-out", {"order_id": "o-2"}, "o-2:ship:tea") == shipped
    assert await refused(system, "/stock/tea/ship-out", {"order_id": "o-2"}) == (409, "nothing-reserved")

    tea = await system.seen(f"/stock/tea?at_least={shipped}")
    assert without_times(tea) == {"sku": "tea", "on_hand": 7, "reserved": 0, "available": 7, "version": 5}
    assert (await system.seen("/stock/tea?as_of=3"))["available"] == 3
    articles = (await system.seen(f"/stock?at_least={shipped}"))["items"]
    assert [one["sku"] for one in articles if one["sku"] in OWN] == ["cup", "tea"]
    assert without_times(await system.seen(f"/reservations/o-1?at_least={shipped}")) == {
        "order_id": "o-1",
        "status": "closed",
        "lines": [
            {"sku": "tea", "quantity": 4, "status": "released"},
            {"sku": "cup", "quantity": 1, "status": "released"},
        ],
    }
    (line,) = (await system.seen("/reservations/o-2"))["lines"]
    assert (line["status"], line["updated_at"][-1]) == ("shipped_out", "Z")
    history = await system.seen("/stock/tea/history")
    assert [entry["type"] for entry in history["items"]] == [
        *("StockOpened", "StockReceived", "StockReserved", "StockReserved", "StockReleased", "StockShippedOut")
    ]


async def test_fifty_orders_reserve_at_once_and_exactly_the_stock_is_reserved(system: System, tmp_path: Path) -> None:
    """By two command APIs, and every refusal is a definite one or one that says to come back."""
    settings = {"eventstore_uri": node_uri(system.node_port)}
    async with running("command_api", tmp_path, "/health/ready", **settings) as other:
        await done(system, "/stock/lamp/receive", {"quantity": STOCK})
        outcomes: Counter[tuple[int, str]] = Counter()

        async def reserve(number: int) -> bool:
            url = (system.commands.url, other.url)[number % 2]
            body = {"order_id": f"many-{number}", "quantity": WANTED}
            key = {"Idempotency-Key": f"many-{number}:reserve:lamp"}
            while True:
                async with system.http.post(f"{url}/stock/lamp/reserve", json=body, headers=key) as answer:
                    problem = await answer.json()
                    kind = problem.get("code", problem.get("type", "").rpartition(":")[2])
                    outcomes[answer.status, kind] += 1
                    if kind != "contended":
                        return answer.status == 200
                    assert answer.headers["Retry-After"] == "1"

        reserved = await asyncio.gather(*(reserve(number) for number in range(ORDERS)))

    assert sum(reserved) == STOCK // WANTED
    assert outcomes[200, ""] == STOCK // WANTED
    assert outcomes[409, "out-of-stock"] == ORDERS - STOCK // WANTED
    assert set(outcomes) <= {(200, ""), (409, "out-of-stock"), (409, "contended")}
    events = [CODEC.decode(stored).event for stored in await system.store.read_stream("stock-lamp")]
    promised = {event.order_id: event.quantity for event in events if isinstance(event, StockReserved)}
    assert promised == {f"many-{number}": WANTED for number, done in enumerate(reserved) if done}
    assert (events[-1].on_hand, events[-1].available) == (STOCK, 0)


async def test_stock_that_was_deleted_is_gone_until_it_is_received_again(system: System) -> None:
    await done(system, "/stock/ink/receive", {"quantity": 10})
    await done(system, "/stock/ink/reserve", {"order_id": "o-1", "quantity": 4})
    await system.store.append("$$stock-ink", ANY_REVISION, [NewEvent(str(uuid.uuid4()), "$metadata", DELETED, b"")])
    assert await refused(system, "/stock/ink/reserve", {"order_id": "o-2", "quantity": 1}) == (410, "deleted")
    position = await done(system, "/stock/ink/receive", {"quantity": 1}, "delivery-2")
    ink = await system.seen(f"/stock/ink?at_least={position}")
    assert without_times(ink) == {"sku": "ink", "on_hand": 1, "reserved": 0, "available": 1, "version": 4}
    assert await done(system, "/stock/ink/receive", {"quantity": 1}, "delivery-2") == position


async def test_a_payment_is_charged_and_given_back(system: System) -> None:
    request = {"customer_id": "ada", "currency": "USD", "amount": 1900}
    charge = {"charge_id": "ch_1", "currency": "USD", "amount": 1900}
    assert await refused(system, "/payments/o-1/void", {"reason": "late"}) == (404, "not-found")
    requested = await done(system, "/payments/o-1/request-charge", request, "o-1:charge")
    assert await done(system, "/payments/o-1/request-charge", request, "o-1:charge") == requested
    assert await refused(system, "/payments/o-1/request-charge", request) == (409, "payment-exists")
    position = await done(system, "/payments/o-1/record-settling", {"charge_id": "ch_1"})
    payment = await system.seen(f"/payments/o-1?at_least={position}")
    assert (payment["status"], payment["charge_id"], "charged_at" in payment) == ("settling", "ch_1", False)
    assert await refused(system, "/payments/o-1/record-charge", charge | {"amount": 1}) == (409, "amount-differs")
    charged = await done(system, "/payments/o-1/record-charge", charge, "evt_1")
    assert await done(system, "/payments/o-1/record-charge", charge, "evt_1") == charged
    for order, amount in (("o-2", 100), ("o-3", 7)):
        await done(system, f"/payments/{order}/request-charge", request | {"amount": amount, "customer_id": "bob"})
    await done(system, "/payments/o-2/record-charge", charge | {"charge_id": "ch_2", "amount": 100})
    await done(system, "/payments/o-2/void", {"reason": "cancelled"})
    await done(system, "/payments/o-2/record-refund", {"refund_id": "re_2"})
    position = await done(system, "/payments/o-3/record-decline", {"reason": "no funds"})

    listed = await system.seen(f"/payments?customer_id=bob&at_least={position}")
    assert [(one["order_id"], one["status"]) for one in listed["items"]] == [("o-3", "declined"), ("o-2", "refunded")]
    assert [one["order_id"] for one in (await system.seen("/payments?status=charged"))["items"]] == ["o-1"]
    day = payment["requested_at"][:10]
    days = f"from={day}&to={date.fromisoformat(day) + timedelta(days=1)}"  # midnight may come while the test runs
    figures = await system.seen(f"/daily-payments?{days}&currency=USD&at_least={position}")
    names = ("charges", "charged", "refunds", "refunded", "declines", "declined")
    assert [sum(row[name] for row in figures["items"]) for name in names] == [2, 2000, 1, 100, 1, 7]
    assert (await system.seen(f"/daily-payments?{days}&currency=EUR"))["items"] == []
    assert (await system.seen("/payments/o-1?as_of=0"))["status"] == "requested"
    history = await system.seen("/payments/o-2/history")
    assert history["items"][-1]["type"] == "PaymentRefunded"


async def test_what_could_not_be_sent_is_found_and_sent_later(system: System) -> None:
    request = {
        "kind": "order-confirmed",
        "customer_id": "ada",
        "channel": "mail",
        "recipient": "ada@example",
        "template": "order-confirmed",
    }
    assert await refused(system, "/notifications/o-1/record-sent", {"kind": "order-confirmed", "reference": "<1>"}) == (
        404,
        "not-found",
    )
    requested = await done(system, "/notifications/o-1/request", request, "evt-1")
    assert await done(system, "/notifications/o-1/request", request, "evt-1") == requested
    assert await refused(system, "/notifications/o-1/request", request) == (409, "notification-is-requested")
    failure = {"kind": "order-confirmed", "reason": "550 no such user", "attempts": 3}
    position = await done(system, "/notifications/o-1/record-failure", failure)
    (failed,) = (await system.seen(f"/notifications?status=failed&at_least={position}"))["items"]
    (message,) = failed["messages"]
    assert (failed["order_id"], message["reason"], message["attempts"]) == ("o-1", "550 no such user", 3)
    await done(system, "/notifications/o-1/request", request | {"recipient": "ada@example.com"})
    sent = {"kind": "order-confirmed", "reference": "<1@shop>"}
    position = await done(system, "/notifications/o-1/record-sent", sent, "sent-1")
    assert await done(system, "/notifications/o-1/record-sent", sent, "sent-1") == position
    told = await system.seen(f"/notifications/o-1?at_least={position}")
    assert without_times(told) == {
        "order_id": "o-1",
        "customer_id": "ada",
        "status": "sent",
        "messages": [
            {
                "kind": "order-confirmed",
                "channel": "mail",
                "template": "order-confirmed",
                "status": "sent",
                "attempts": 1,
                "reference": "<1@shop>",
            }
        ],
        "version": 3,
    }
    assert (await system.seen("/notifications?status=failed"))["items"] == []
    history = await system.seen("/notifications/o-1/history")
    assert [one["data"].get("recipient") for one in history["items"]] == [
        *("ada@example", None),
        *("ada@example.com", None),
    ]

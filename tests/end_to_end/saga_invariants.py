"""What must hold of every order when all has come to rest, whoever was killed on the way."""

from collections import Counter
from collections.abc import Sequence

from application.notifying.messages import MESSAGES
from domain.inventory.events import StockReserved, StockShippedOut
from domain.notifications.notifications import Status as NotificationStatus
from domain.ordering.events import OrderConfirmed
from domain.ordering.order import Status as OrderStatus
from domain.payments.events import PaymentCharged
from domain.payments.payment import Status as PaymentStatus
from infrastructure.outside.mail.message import message_id
from infrastructure.settings import Settings
from tests.end_to_end.saga_log import SagaLog
from tests.end_to_end.saga_shop import SagaShop

KEPT = (PaymentStatus.CHARGED, PaymentStatus.REFUND_FAILED)


async def check(shop: SagaShop) -> dict[str, str]:
    """All of it, of every order so far; gives how each has ended."""
    await shop.saga_log.catch_up()
    log = shop.saga_log
    ends = {order: check_end(log, order) for order in shop.orders}
    check_confirmed(log, shop.orders)
    for sku, quantity in shop.received.items():
        check_stock(log, sku, quantity)
    await check_money(shop)
    await check_mails(shop)
    await check_nothing_parked(shop)
    await check_shown(shop)
    return ends


def check_end(log: SagaLog, order: str) -> str:
    """Each process has ended, waits for the shipment, or is stuck."""
    instance, status, payment = log.instances[order], log.order(order).status, log.payment(order)
    assert not instance.open_commands, order
    if instance.stuck:
        assert set(instance.failures) == {"void"}, (order, instance.failures)
        assert payment is not None
        assert payment.status is PaymentStatus.REFUND_FAILED
        assert status is OrderStatus.CANCELLED
        return "stuck"
    if status is OrderStatus.CONFIRMED:
        assert not instance.outcome
        assert set(instance.timers) == {"shipment-reminder"}
    else:
        assert (status, instance.outcome) in (
            (OrderStatus.SHIPPED, "fulfilled"),
            (OrderStatus.CANCELLED, "cancelled"),
        ), order
        assert not instance.timers
    return str(status)


def check_confirmed(log: SagaLog, orders: Sequence[str]) -> None:
    """No order is confirmed without all of its stock and its money, at the moment when it is; and none twice."""
    stock: Counter[tuple[str, str]] = Counter()
    paid, confirmed = set(), Counter[str]()
    for event in log.events:
        match event:
            case StockReserved():
                stock[event.order_id, event.sku] += event.quantity
            case PaymentCharged():
                paid.add(event.order_id)
            case OrderConfirmed(order):
                confirmed[order] += 1
                assert order in paid
                for sku, article in log.instances[order].state.stock.items():
                    assert stock[order, sku] == article.quantity, (order, sku)
    assert max(confirmed.values(), default=0) <= 1
    assert set(confirmed) <= set(orders)


def check_stock(log: SagaLog, sku: str, received: int) -> None:
    """To the unit: what was received has left with shipped orders, is promised to confirmed ones, or is available."""
    stock = log.states["stock", sku]
    wanted = {order: one.state.stock[sku].quantity for order, one in log.instances.items() if sku in one.state.stock}
    by_status = {
        status: {order: quantity for order, quantity in wanted.items() if log.order(order).status is status}
        for status in (OrderStatus.SHIPPED, OrderStatus.CONFIRMED)
    }
    left = Counter(event.order_id for event in log.of(StockShippedOut) if event.sku == sku)
    assert left == Counter(by_status[OrderStatus.SHIPPED].keys())
    assert dict(stock.reserved) == by_status[OrderStatus.CONFIRMED], "no reservation is left behind, and none missing"
    assert stock.on_hand == received - sum(by_status[OrderStatus.SHIPPED].values())
    assert stock.available == stock.on_hand - sum(by_status[OrderStatus.CONFIRMED].values())


async def check_money(shop: SagaShop) -> None:
    """At the provider, order by order and to the cent: one charge at most, and kept only of what is confirmed or
    shipped, or cannot be given back and is shown as stuck."""
    charges = await shop.charges()
    assert max(Counter(one["reference"] for one in charges).values(), default=0) <= 1
    there = {one["reference"]: one["amount"] - one["refunded"] for one in charges if one["status"] == "succeeded"}
    ours = {}
    for order in shop.orders:
        payment, instance = shop.saga_log.payment(order), shop.saga_log.instances[order]
        kept = shop.saga_log.order(order).status is not OrderStatus.CANCELLED or instance.stuck
        ours[order] = shop.saga_log.order(order).total if kept else 0
        assert kept == (payment is not None and payment.status in KEPT), order
    assert {order: there.get(order, 0) for order in shop.orders} == ours
    assert {one["reference"] for one in charges} <= set(shop.orders)


async def check_mails(shop: SagaShop) -> None:
    """Each notification is at the sink, under one Message-ID of its own; a mail that came twice is the same mail."""
    told, sender = shop.saga_log.notified(), Settings().mail.sender
    assert max(told.values(), default=0) <= 1
    kinds = {message.kind for message in MESSAGES.values()}
    for order, kind in told:
        assert kind in kinds
        assert shop.saga_log.states["notification", order].messages[kind] is NotificationStatus.SENT
    mails = await shop.sink.mails()
    assert {mail["message_id"] for mail in mails} == {message_id(f"{order}/{kind}", sender) for order, kind in told}
    as_sent = {(mail["message_id"], mail["text"], mail["subject"], *mail["recipients"]) for mail in mails}
    assert len(as_sent) == len(told), "what came twice is the same"


async def check_nothing_parked(shop: SagaShop) -> None:
    """No dead letter is left, listed or only counted."""
    for service in (shop.consumers, *shop.managers, shop.projector):
        assert await shop.dead_letters(service) == [], service.name
    for service in (shop.consumers, shop.managers[0]):
        async with shop.http.get(f"{service.url}/consumers") as response:
            consumers = (await response.json())["consumers"]
        assert sum(one["parked"] for one in consumers) == 0, consumers


async def check_shown(shop: SagaShop) -> None:
    """The queries tell the same, also who is stuck."""
    at_least = f"at_least={shop.saga_log.position}"
    for sku in shop.received:
        stock, shown = shop.saga_log.states["stock", sku], await shop.query(f"/stock/{sku}?{at_least}")
        assert (shown["on_hand"], shown["available"]) == (stock.on_hand, stock.available)
    for order in shop.orders:
        instance, status = shop.saga_log.instances[order], shop.saga_log.order(order).status
        expected = "stuck" if instance.stuck else instance.outcome or str(status)
        assert (await shop.query(f"/fulfilments/{order}?{at_least}"))["status"] == expected
        assert (await shop.query(f"/orders/{order}?{at_least}"))["status"] == status
    stuck = {order for order, one in shop.saga_log.instances.items() if one.stuck}
    async with shop.http.get(
        f"{shop.managers[0].url}/processes/order_fulfilment/instances?status=stuck&limit=500"
    ) as response:
        listed = {one["instance"] for one in (await response.json())["instances"]}
    assert listed == stuck

"""Logs of orders: events as they stand in the store, random ones too, and what a view must come to."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from application import APPLICATION
from domain.ordering.events import Line, OrderCancelled, OrderConfirmed, OrderCreated, OrderDelivered, OrderShipped
from infrastructure.event_store import StoredEvent
from tests.support.bundled import CODEC
from tests.support.logs import LogBuilder, PlainFold

START = datetime(2026, 3, 14, 12, tzinfo=UTC)


fold_of = PlainFold(APPLICATION)


class OrderLog(LogBuilder):
    """A log of the bundled domain."""

    def __init__(self) -> None:
        super().__init__(CODEC)


def created(order: str, customer: str = "c1", amount: int = 100, day: int = 0, lines: int = 1) -> OrderCreated:
    """An order of so many lines of `amount` each."""
    at = START + timedelta(days=day)
    parts = [Line(f"sku-{n}", 1, amount, 0, amount) for n in range(lines)]
    return OrderCreated(order, customer, "USD", parts, lines, amount * lines, at, at)


def confirmed(order: str, customer: str = "c1") -> OrderConfirmed:
    return OrderConfirmed(order, customer, START + timedelta(hours=1))


def shipped(order: str, customer: str = "c1") -> OrderShipped:
    return OrderShipped(order, customer, "DHL", "JD01", START + timedelta(hours=2))


def delivered(order: str, customer: str = "c1") -> OrderDelivered:
    return OrderDelivered(order, customer, START + timedelta(hours=3))


def cancelled(of: OrderCreated) -> OrderCancelled:
    at = START + timedelta(hours=4)
    return OrderCancelled(of.order_id, of.customer_id, of.currency, of.total, of.ordered_at, "changed my mind", at)


CREATED_V1 = (
    b'{"order_id":"%s","customer_id":"c1","currency":"USD","lines":[{"sku":"apple","quantity":3,"price":50}],'
    b'"created_at":"2024-05-01T09:30:00Z"}'
)
"""An OrderCreated as the first release wrote it; fill in the id."""


def random_log(choose: random.Random, length: int, *, poison: bool = True) -> list[StoredEvent]:
    """Orders of a few customers in all their states, events of others between them, and events nobody can decode."""
    log = OrderLog()
    open_orders: dict[str, list[Any]] = {}
    while len(log.events) < length:
        kind = choose.random()
        if kind < 0.05:
            log.add_raw(f"elsewhere-{choose.randrange(3)}", "SomethingElse", b"not even JSON")
        elif poison and kind < 0.09:
            stream = f"order-{choose.choice([*open_orders, 'nobody'])}"
            event_type, data = choose.choice(
                [("OrderTeleported", b"{}"), ("OrderConfirmed", b'{"order_id": 7}'), ("OrderCreated", b"\xff\0")]
            )
            log.add_raw(stream, event_type, data)
        elif not open_orders or kind < 0.45:
            order = f"o{len(log.events)}"
            first = created(order, f"c{choose.randrange(4)}", choose.randrange(1, 999), choose.randrange(3))
            if choose.random() < 0.1:
                log.add_raw(f"order-{order}", "OrderCreated", CREATED_V1 % order.encode())
                first = created(order, "c1", 150)
            else:
                log.add(f"order-{order}", first)
            customer = first.customer_id
            rest = [confirmed(order, customer), shipped(order, customer), delivered(order, customer)]
            open_orders[order] = [cancelled(first)] if choose.random() < 0.3 else rest
        else:
            order = choose.choice(list(open_orders))
            log.add(f"order-{order}", open_orders[order].pop(0))
            if not open_orders[order]:
                del open_orders[order]
    return log.events


def logs_of(least: int, most: int) -> st.SearchStrategy[list[StoredEvent]]:
    """Random logs of so many events."""
    return st.builds(
        lambda seed, length: random_log(random.Random(seed), length), st.integers(0), st.integers(least, most)
    )


logs = logs_of(0, 60)

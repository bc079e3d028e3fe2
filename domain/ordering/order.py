"""The order: its state, what it decides on a command, and how an event changes it."""

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.model.command_context import CommandContext
from domain.model.errors import AlreadyExists, NoSuchAggregate, RuleViolation
from domain.ordering.commands import (
    CancelOrder,
    ConfirmOrder,
    DeliverOrder,
    OrderCommand,
    PlaceOrder,
    ShipOrder,
)
from domain.ordering.events import (
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderShipped,
)
from domain.ordering.rules import check


class Status(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class Order(Struct, frozen=True, gc=False):
    """What the rules need to remember of an order."""

    order_id: str
    customer_id: str
    currency: str
    total: int
    ordered_at: datetime
    status: Status


def decide(command: OrderCommand, order: Order | None, context: CommandContext) -> list[OrderEvent]:
    """The events that the command causes.

    Raises InvalidCommand when the command can never be right, RuleViolation when the order's state forbids it,
    NoSuchAggregate when there is no order and the command is not PlaceOrder.
    """
    check(command, context)
    if isinstance(command, PlaceOrder):
        return [_place(command, order, context)]
    if order is None:
        raise NoSuchAggregate(f"there is no order {context.aggregate_id}")
    match command:
        case ConfirmOrder():
            _require(order, "confirmed", Status.PENDING)
            return [OrderConfirmed(order.order_id, order.customer_id, context.at)]
        case ShipOrder(carrier, tracking_number):
            _require(order, "shipped", Status.CONFIRMED)
            return [OrderShipped(order.order_id, order.customer_id, carrier, tracking_number, context.at)]
        case DeliverOrder():
            _require(order, "delivered", Status.SHIPPED)
            return [OrderDelivered(order.order_id, order.customer_id, context.at)]
        case CancelOrder(reason):
            _require(order, "cancelled", Status.PENDING, Status.CONFIRMED)
            return [_cancel(order, reason, context)]


def _place(command: PlaceOrder, order: Order | None, context: CommandContext) -> OrderCreated:
    if order is not None:
        raise AlreadyExists("order-exists", f"order {order.order_id} has already been placed")
    lines = [Line(line.sku, line.quantity, line.unit_price, line.discount, line.total) for line in command.lines]
    return OrderCreated(
        order_id=context.aggregate_id,
        customer_id=command.customer_id,
        currency=command.currency,
        lines=lines,
        item_count=sum(line.quantity for line in lines),
        total=sum(line.total for line in lines),
        ordered_at=(command.ordered_at or context.at).astimezone(UTC),
        created_at=context.at,
    )


def _cancel(order: Order, reason: str, context: CommandContext) -> OrderCancelled:
    return OrderCancelled(
        order_id=order.order_id,
        customer_id=order.customer_id,
        currency=order.currency,
        total=order.total,
        ordered_at=order.ordered_at,
        reason=reason,
        cancelled_at=context.at,
    )


def _require(order: Order, becoming: str, *allowed: Status) -> None:
    if order.status not in allowed:
        statuses = " or ".join(allowed)
        detail = f"order {order.order_id} is {order.status}; only an order that is {statuses} can be {becoming}"
        raise RuleViolation(f"order-not-{'-or-'.join(allowed)}", detail)


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """The order after the event."""
    if isinstance(event, OrderCreated):
        return Order(event.order_id, event.customer_id, event.currency, event.total, event.ordered_at, Status.PENDING)
    if order is None:
        raise ValueError(f"{type(event).__name__} stands before OrderCreated in the stream of {event.order_id}")
    match event:
        case OrderConfirmed():
            return replace(order, status=Status.CONFIRMED)
        case OrderShipped():
            return replace(order, status=Status.SHIPPED)
        case OrderDelivered():
            return replace(order, status=Status.DELIVERED)
        case OrderCancelled():
            return replace(order, status=Status.CANCELLED)

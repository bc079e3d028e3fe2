"""The stock of one article: its state, what it decides on a command, and how an event changes it."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from domain.inventory.commands import ReceiveStock, ReleaseStock, ReserveStock, ShipOutStock, StockCommand
from domain.inventory.events import (
    StockEvent,
    StockOpened,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShippedOut,
)
from domain.inventory.rules import check
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation

MAX_ON_HAND = 10**15


class Stock(Struct, frozen=True):
    """What is there of an article. `available` never goes below zero; `reserved` is what each order was promised."""

    sku: str
    on_hand: int = 0
    available: int = 0
    reserved: Mapping[str, int] = {}


def decide(command: StockCommand, stock: Stock | None, context: CommandContext) -> list[StockEvent]:
    """The events that the command causes.

    Raises InvalidCommand when the command can never be right, RuleViolation when the stock forbids it, NoSuchAggregate
    when the article was never received.
    """
    check(command, context)
    if isinstance(command, ReceiveStock):
        return _receive(command, stock, context)
    if stock is None:
        raise NoSuchAggregate(f"article {context.aggregate_id} has never been received")
    match command:
        case ReserveStock():
            return [_reserve(command, stock, context)]
        case ReleaseStock(order_id, reason):
            quantity = _reserved(stock, order_id, "released")
            available = stock.available + quantity
            return [StockReleased(stock.sku, order_id, quantity, reason, stock.on_hand, available, context.at)]
        case ShipOutStock(order_id):
            quantity = _reserved(stock, order_id, "shipped out")
            on_hand = stock.on_hand - quantity
            return [StockShippedOut(stock.sku, order_id, quantity, on_hand, stock.available, context.at)]


def _receive(command: ReceiveStock, stock: Stock | None, context: CommandContext) -> list[StockEvent]:
    if stock is None:
        opened = StockOpened(context.aggregate_id, context.at)
        return [opened, _received(command, evolve(None, opened), context)]
    return [_received(command, stock, context)]


def _received(command: ReceiveStock, stock: Stock, context: CommandContext) -> StockReceived:
    on_hand = stock.on_hand + command.quantity
    if on_hand > MAX_ON_HAND:
        raise RuleViolation(
            "too-much-stock", f"article {stock.sku} would have {on_hand}; at most {MAX_ON_HAND} is held"
        )
    return StockReceived(stock.sku, command.quantity, on_hand, stock.available + command.quantity, context.at)


def _reserve(command: ReserveStock, stock: Stock, context: CommandContext) -> StockReserved:
    if command.order_id in stock.reserved:
        detail = f"order {command.order_id} has {stock.reserved[command.order_id]} of article {stock.sku} already"
        raise RuleViolation("already-reserved", detail)
    if command.quantity > stock.available:
        detail = f"{command.quantity} of article {stock.sku} are wanted and {stock.available} are available"
        raise RuleViolation("out-of-stock", detail)
    available = stock.available - command.quantity
    return StockReserved(stock.sku, command.order_id, command.quantity, stock.on_hand, available, context.at)


def _reserved(stock: Stock, order_id: str, becoming: str) -> int:
    quantity = stock.reserved.get(order_id)
    if quantity is None:
        detail = f"nothing of article {stock.sku} is reserved for order {order_id}, so nothing can be {becoming}"
        raise RuleViolation("nothing-reserved", detail)
    return quantity


def evolve(stock: Stock | None, event: StockEvent) -> Stock:
    """The stock after the event."""
    if isinstance(event, StockOpened):
        return Stock(event.sku)
    if stock is None:
        raise ValueError(f"{type(event).__name__} stands before StockOpened in the stream of {event.sku}")
    stock = replace(stock, on_hand=event.on_hand, available=event.available)
    match event:
        case StockReceived():
            return stock
        case StockReserved():
            return replace(stock, reserved={**stock.reserved, event.order_id: event.quantity})
        case StockReleased() | StockShippedOut():
            return replace(stock, reserved={o: q for o, q in stock.reserved.items() if o != event.order_id})

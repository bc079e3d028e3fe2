"""The stock of an article as the other layers see it: its commands, its events and their versions."""

from domain.inventory.commands import ReceiveStock, ReleaseStock, ReserveStock, ShipOutStock
from domain.inventory.events import StockOpened, StockReceived, StockReleased, StockReserved, StockShippedOut
from domain.inventory.stock import Stock, decide, evolve
from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType

STOCK = Aggregate(
    category="stock",
    plural="stock",
    state=Stock,
    commands=(
        CommandType(
            ReceiveStock,
            "receive",
            may_create=True,
            summary="Put received articles into stock",
            access=Access("stock:receive"),
        ),
        CommandType(
            ReserveStock,
            "reserve",
            summary="Promise a part of what is available to an order",
            access=Access("stock:reserve"),
        ),
        CommandType(
            ReleaseStock,
            "release",
            summary="Take back what was promised to an order",
            access=Access("stock:release"),
        ),
        CommandType(
            ShipOutStock,
            "ship-out",
            summary="Record that what was promised to an order has left",
            access=Access("stock:ship-out"),
        ),
    ),
    events=(
        EventType("StockOpened", 1, StockOpened),
        EventType("StockReceived", 1, StockReceived),
        EventType("StockReserved", 1, StockReserved),
        EventType("StockReleased", 1, StockReleased),
        EventType("StockShippedOut", 1, StockShippedOut),
    ),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({StockOpened}),
    # The stock of an article that sells goes on for ever: a snapshot spares a new process its whole history.
    snapshot_every=200,
    read_access=Access("stock:read"),
)

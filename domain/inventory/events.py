"""What has happened to the stock of one article. Times are aware and in UTC.

`on_hand` is what lies in the warehouse after the event, `available` what of it is promised to nobody.
"""

from datetime import datetime

from msgspec import Struct


class StockOpened(Struct, frozen=True, gc=False):
    """The first of an article is about to come in: before this event nothing is known of it."""

    sku: str
    opened_at: datetime


class StockReceived(Struct, frozen=True, gc=False):
    """Articles came in."""

    sku: str
    quantity: int
    on_hand: int
    available: int
    received_at: datetime


class StockReserved(Struct, frozen=True, gc=False):
    """A part was promised to an order."""

    sku: str
    order_id: str
    quantity: int
    on_hand: int
    available: int
    reserved_at: datetime


class StockReleased(Struct, frozen=True, gc=False):
    """What was promised to an order is available again."""

    sku: str
    order_id: str
    quantity: int
    reason: str
    on_hand: int
    available: int
    released_at: datetime


class StockShippedOut(Struct, frozen=True, gc=False):
    """What was promised to an order has left the warehouse."""

    sku: str
    order_id: str
    quantity: int
    on_hand: int
    available: int
    shipped_at: datetime


StockEvent = StockOpened | StockReceived | StockReserved | StockReleased | StockShippedOut

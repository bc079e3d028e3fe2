"""What inventory publishes. Times are aware and in UTC."""

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from domain.inventory import events
from domain.model.publication import IntegrationEvent, Publication


class StockLevelChanged(Struct, frozen=True, gc=False):
    """There is more or less of an article: `on_hand` lies in the warehouse, `available` of it is promised to nobody."""

    sku: str
    on_hand: int
    available: int
    because: Literal["received", "reserved", "released", "shipped"]
    changed_at: datetime


def _received(event: events.StockReceived) -> StockLevelChanged:
    return StockLevelChanged(event.sku, event.on_hand, event.available, "received", event.received_at)


def _reserved(event: events.StockReserved) -> StockLevelChanged:
    return StockLevelChanged(event.sku, event.on_hand, event.available, "reserved", event.reserved_at)


def _released(event: events.StockReleased) -> StockLevelChanged:
    return StockLevelChanged(event.sku, event.on_hand, event.available, "released", event.released_at)


def _shipped(event: events.StockShippedOut) -> StockLevelChanged:
    return StockLevelChanged(event.sku, event.on_hand, event.available, "shipped", event.shipped_at)


_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

PUBLISHED_BY_INVENTORY = Publication(
    context="inventory",
    events=(IntegrationEvent("stock-level-changed", 1, StockLevelChanged),),
    mapping={
        events.StockReceived: (_received,),
        events.StockReserved: (_reserved,),
        events.StockReleased: (_released,),
        events.StockShippedOut: (_shipped,),
    },
    subject=lambda event: event.sku,
    examples=(
        events.StockReceived("tea-green", 40, 40, 40, _AT),
        events.StockReserved("tea-green", "1042", 2, 40, 38, _AT),
        events.StockReleased("tea-green", "1042", 2, "the order was cancelled", 40, 40, _AT),
        events.StockShippedOut("tea-green", "1042", 2, 38, 38, _AT),
    ),
)

"""How much there is of each article: one by its number, all of them, those that are running out."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from domain.inventory.events import (
    StockEvent,
    StockOpened,
    StockReceived,
    StockReleased,
    StockReserved,
    StockShippedOut,
)
from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Identifier, Parameter, WholeNumber
from read_models.model.query import CustomQuery, InvalidParameters, KeyQuery, ListQuery
from read_models.model.reads import Reads
from read_models.model.view import View, millis

MOST_LISTED = 200


class StockLevel(Struct, frozen=True, gc=False):
    """One article. `on_hand` lies in the warehouse; `reserved` of it is promised to orders, `available` to nobody.

    Times are epoch milliseconds. `version` is the stream's revision; `opened_position` orders the list's pages.
    """

    sku: str
    on_hand: int
    reserved: int
    available: int
    opened_at: int
    updated_at: int
    version: int
    opened_position: int


def keys(event: StockEvent) -> tuple[str, ...]:
    """The article's document."""
    return (event.sku,)


def fold(level: StockLevel | None, recorded: RecordedEvent[StockEvent]) -> StockLevel:
    """The article's document after the event."""
    event = recorded.event
    if isinstance(event, StockOpened):
        at = millis(event.opened_at)
        return StockLevel(event.sku, 0, 0, 0, at, at, recorded.revision, recorded.position)
    if level is None:
        raise ValueError(f"{type(event).__name__} of article {event.sku} stands before its StockOpened")
    match event:
        case StockReceived():
            at = millis(event.received_at)
        case StockReserved():
            at = millis(event.reserved_at)
        case StockReleased():
            at = millis(event.released_at)
        case StockShippedOut():
            at = millis(event.shipped_at)
    return replace(
        level,
        on_hand=event.on_hand,
        reserved=event.on_hand - event.available,
        available=event.available,
        updated_at=at,
        version=recorded.revision,
    )


class ArticleLevel(Struct):
    """An article in the list of those that are running out."""

    sku: str
    on_hand: int
    reserved: int
    available: int


class LowStock(Struct):
    """The articles, those with the least available first. `more` says that the range holds others with as much or more
    available than the last of them."""

    items: list[ArticleLevel]
    more: bool


async def low_stock(reads: Reads, parameters: Mapping[str, Any]) -> LowStock:
    """The articles of which there are as many available as the parameters say."""
    first, last = parameters.get("from"), parameters.get("to")
    if first is not None and last is not None and first > last:
        raise InvalidParameters(f"from ({first}) is above to ({last})")
    levels = await reads.rows("available", MOST_LISTED + 1, first=first, last=last)
    items = [ArticleLevel(one.sku, one.on_hand, one.reserved, one.available) for one in levels[:MOST_LISTED]]
    return LowStock(items, more=len(levels) > MOST_LISTED)


STOCK_LEVELS = View(
    name="stock_levels",
    version=1,
    document=StockLevel,
    events=frozenset({StockOpened, StockReceived, StockReserved, StockReleased, StockShippedOut}),
    keys=keys,
    fold=fold,
    indexes=(("opened_position",), ("available",)),
    per_stream=True,
    dropped_with="stock",
    begins_with=frozenset({StockOpened}),
    queries=(
        KeyQuery(
            path="/stock/{stock_id}",
            operation="GetStock",
            access=Access("stock:read", shared=True),
            summary="How much there is of an article, and what of it is promised to orders",
            description="The `ETag` is the one that commands take in `If-Match`.",
            key=Parameter("stock_id", Identifier()),
            noun="stock of article",
            version_field="version",
            aggregate="stock",
        ),
        ListQuery(
            path="/stock",
            operation="ListStock",
            access=Access("stock:read", shared=True),
            summary="The articles, those first received last first",
            sort="opened_position",
        ),
        CustomQuery(
            path="/low-stock",
            operation="ListLowStock",
            access=Access("stock:read"),
            summary="The articles with the least available, or with so much of it as a range says, lowest first",
            description=f"At most {MOST_LISTED} of them; `more` says whether there are others.",
            respond=low_stock,
            answer=LowStock,
            parameters=(
                Parameter("from", WholeNumber(), "Only articles with at least so many available"),
                Parameter("to", WholeNumber(), "Only articles with at most so many available"),
            ),
        ),
    ),
)

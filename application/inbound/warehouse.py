"""The warehouse's deliveries become stock."""

from typing import Annotated

from msgspec import Meta, Struct

from domain.inventory.aggregate import STOCK
from domain.inventory.commands import MAX_QUANTITY, ReceiveStock
from domain.model.inbound import InboundContract, InboundMessage, MappedCommand

_Sku = Annotated[str, Meta(min_length=1, max_length=64, description="The article's number")]
_Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY, description="How many came in")]


class StockDeliveredV1(Struct, frozen=True):
    """Some of one article came in."""

    delivery_id: str
    sku: _Sku
    quantity: _Quantity


class DeliveryLine(Struct, frozen=True):
    """One article of a delivery."""

    sku: _Sku
    quantity: _Quantity


class StockDeliveredV2(Struct, frozen=True):
    """A delivery came in: all its lines, in their order. An article may stand in several."""

    delivery_id: str
    lines: Annotated[tuple[DeliveryLine, ...], Meta(min_length=1, max_length=500)]


def _receive(sku: str, quantity: int) -> MappedCommand:
    return MappedCommand(STOCK.category, sku, ReceiveStock(quantity))


def _one_article(message: StockDeliveredV1) -> tuple[MappedCommand, ...]:
    return (_receive(message.sku, message.quantity),)


def _lines(message: StockDeliveredV2) -> tuple[MappedCommand, ...]:
    return tuple(_receive(line.sku, line.quantity) for line in message.lines)


TAKEN_FROM_WAREHOUSE = InboundContract(
    system="warehouse",
    messages=(
        InboundMessage(
            "stock-delivered", 1, StockDeliveredV1, _one_article, StockDeliveredV1("d-4711", "tea-green", 40)
        ),
        InboundMessage(
            "stock-delivered",
            2,
            StockDeliveredV2,
            _lines,
            StockDeliveredV2("d-4712", (DeliveryLine("tea-green", 40), DeliveryLine("tea-black", 12))),
        ),
    ),
)

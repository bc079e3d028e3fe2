"""The commands for the stock of one article. Fields and types only; `rules.py` says which values are allowed."""

from typing import Annotated

from msgspec import Struct

from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN

MAX_QUANTITY = 1_000_000_000
MAX_REASON_LENGTH = 500


_Quantity = Annotated[int, documented("How many", minimum=1, maximum=MAX_QUANTITY)]
_OrderId = Annotated[str, documented("For which order", pattern=IDENTIFIER_PATTERN)]


class ReceiveStock(Struct, frozen=True, forbid_unknown_fields=True):
    """Put received articles into stock."""

    quantity: _Quantity


class ReserveStock(Struct, frozen=True, forbid_unknown_fields=True):
    """Promise a part of what is available to an order."""

    order_id: _OrderId
    quantity: _Quantity


class ReleaseStock(Struct, frozen=True, forbid_unknown_fields=True):
    """Take back what was promised to an order."""

    order_id: _OrderId
    reason: Annotated[str, documented_text("Why", MAX_REASON_LENGTH)]


class ShipOutStock(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that what was promised to an order has left the warehouse."""

    order_id: _OrderId


StockCommand = ReceiveStock | ReserveStock | ReleaseStock | ShipOutStock

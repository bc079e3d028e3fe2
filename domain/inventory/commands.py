"""The commands for the stock of one article. Fields and types only; `rules.py` says which values are allowed."""

from typing import Annotated

from msgspec import Meta, Struct

from domain.model.identifiers import IDENTIFIER_PATTERN

MAX_QUANTITY = 1_000_000_000
MAX_REASON_LENGTH = 500


# As for orders, the limits in the schema are for readers of the OpenAPI page; rules.py enforces them.
def _documented(description: str, **schema: object) -> Meta:
    return Meta(description=description, extra_json_schema=dict(schema))


_Quantity = Annotated[int, _documented("How many", minimum=1, maximum=MAX_QUANTITY)]
_OrderId = Annotated[str, _documented("For which order", pattern=IDENTIFIER_PATTERN)]


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
    reason: Annotated[str, _documented("Why", minLength=1, maxLength=MAX_REASON_LENGTH)]


class ShipOutStock(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that what was promised to an order has left the warehouse."""

    order_id: _OrderId


StockCommand = ReceiveStock | ReserveStock | ReleaseStock | ShipOutStock

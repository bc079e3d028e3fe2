"""The commands for an order. Fields and types only; `rules.py` says which values are allowed."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from domain.model.currencies import CURRENCIES
from domain.model.identifiers import IDENTIFIER_PATTERN, TEXT_PATTERN
from domain.model.money import MAX_AMOUNT

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
MAX_SKU_LENGTH = 64
MAX_TEXT_LENGTH = 500


# The limits in the schema are for readers of the OpenAPI page only: rules.py enforces them, so that a refusal can name
# every fault at once, and so that a command made in Python is checked too.
def _documented(description: str, **schema: object) -> Meta:
    return Meta(description=description, extra_json_schema=dict(schema))


def _text(description: str, longest: int) -> Meta:
    return _documented(description, minLength=1, maxLength=longest, pattern=TEXT_PATTERN)


class OrderLine(Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity of one article at one price."""

    sku: Annotated[str, _text("Article number", MAX_SKU_LENGTH)]
    quantity: Annotated[int, _documented("How many", minimum=1, maximum=MAX_QUANTITY)]
    unit_price: Annotated[int, _documented("Price of one, in minor units", minimum=0, maximum=MAX_AMOUNT)]
    discount: Annotated[
        int, _documented("Taken off the whole line, in minor units; at most quantity times unit_price", minimum=0)
    ] = 0

    @property
    def gross(self) -> int:
        """The line's amount before its discount, in minor units."""
        return self.quantity * self.unit_price

    @property
    def total(self) -> int:
        """The line's amount after its discount, in minor units."""
        return self.gross - self.discount


class PlaceOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Place a new order."""

    customer_id: Annotated[str, _documented("Who orders", pattern=IDENTIFIER_PATTERN)]
    currency: Annotated[str, _documented("ISO 4217 code", enum=sorted(CURRENCIES), examples=["USD"])]
    lines: Annotated[
        list[OrderLine], _documented(f"What is ordered; at most {MAX_AMOUNT} in all", minItems=1, maxItems=MAX_LINES)
    ]
    ordered_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        _documented("Business time of the order, if it is not now; RFC 3339 with an offset, in the years 1970 to 9998"),
    ] = None


class ConfirmOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Confirm a pending order."""


class ShipOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand a confirmed order to a carrier."""

    carrier: Annotated[str, _text("Who carries it", MAX_TEXT_LENGTH)]
    tracking_number: Annotated[str, _text("The carrier's number", MAX_TEXT_LENGTH)]


class DeliverOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that a shipped order has arrived."""


class CancelOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Cancel an order that is pending or confirmed."""

    reason: Annotated[str, _text("Why", MAX_TEXT_LENGTH)]


OrderCommand = PlaceOrder | ConfirmOrder | ShipOrder | DeliverOrder | CancelOrder

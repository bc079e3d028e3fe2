"""The commands for an order. Fields and types only; `rules.py` says which values are allowed."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from domain.model.currencies import CURRENCIES
from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN
from domain.model.money import MAX_AMOUNT

MAX_LINES = 500
MAX_QUANTITY = 1_000_000
MAX_SKU_LENGTH = 64
MAX_TEXT_LENGTH = 500


class OrderLine(Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity of one article at one price."""

    sku: Annotated[str, documented_text("Article number", MAX_SKU_LENGTH)]
    quantity: Annotated[int, documented("How many", minimum=1, maximum=MAX_QUANTITY)]
    unit_price: Annotated[int, documented("Price of one, in minor units", minimum=0, maximum=MAX_AMOUNT)]
    discount: Annotated[
        int, documented("Taken off the whole line, in minor units; at most quantity times unit_price", minimum=0)
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

    customer_id: Annotated[str, documented("Who orders", pattern=IDENTIFIER_PATTERN)]
    currency: Annotated[str, documented("ISO 4217 code", enum=sorted(CURRENCIES), examples=["USD"])]
    lines: Annotated[
        list[OrderLine], documented(f"What is ordered; at most {MAX_AMOUNT} in all", minItems=1, maxItems=MAX_LINES)
    ]
    ordered_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        documented("Business time of the order, if it is not now; RFC 3339 with an offset, in the years 1970 to 9998"),
    ] = None


class ConfirmOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Confirm a pending order."""


class ShipOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand a confirmed order to a carrier."""

    carrier: Annotated[str, documented_text("Who carries it", MAX_TEXT_LENGTH)]
    tracking_number: Annotated[str, documented_text("The carrier's number", MAX_TEXT_LENGTH)]


class DeliverOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that a shipped order has arrived."""


class CancelOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """Cancel an order that is pending or confirmed."""

    reason: Annotated[str, documented_text("Why", MAX_TEXT_LENGTH)]


OrderCommand = PlaceOrder | ConfirmOrder | ShipOrder | DeliverOrder | CancelOrder

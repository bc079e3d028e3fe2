"""What the provider keeps: charges and the refunds of them. Amounts are in minor units, times in epoch seconds."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Status = Literal["succeeded", "pending", "declined"]
RefundStatus = Literal["succeeded", "pending", "failed"]

MAX_AMOUNT = 999_999_999_999

_Amount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
_Word = Annotated[str, Meta(min_length=1, max_length=128)]


class ChargeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`reference` is the merchant's own name for what is paid."""

    amount: _Amount
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    reference: _Word
    customer: _Word


class RefundRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Without an amount, all that is left of the charge."""

    charge: _Word
    amount: _Amount | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""


class Refund(Struct, frozen=True):
    """`failure` says why it failed."""

    id: str
    charge: str
    amount: int
    reason: str
    status: RefundStatus
    failure: str
    created: float


class Charge(Struct, frozen=True):
    """`refunded` is what was given back; what is on its way back stands in `refunds` alone. `sequence` rises with every
    change of the charge or of a refund of it, over all charges. `decline` says why it was declined."""

    id: str
    key: str
    reference: str
    customer: str
    amount: int
    currency: str
    status: Status
    decline: str
    refunded: int
    created: float
    sequence: int
    refunds: list[Refund] = []


class ChargePage(Struct, frozen=True):
    """Charges in the order of their last change. `next` is the cursor for what comes after them."""

    charges: list[Charge]
    next: int
    more: bool


class Event(Struct, frozen=True):
    """The body of a webhook: what happened, and the charge as it was then."""

    id: str
    type: str
    created: float
    charge: Charge
    refund: Refund | None = None

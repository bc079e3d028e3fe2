"""The commands for the payment of one order. Fields and types only; `rules.py` says which values are allowed.

Some ask for something (a charge, a refund); others record what the payment provider has answered, at once or later.
"""

from typing import Annotated

from msgspec import Struct

from domain.model.currencies import CURRENCIES
from domain.model.documented import documented, documented_text
from domain.model.identifiers import IDENTIFIER_PATTERN
from domain.model.money import MAX_AMOUNT

MAX_TEXT_LENGTH = 500
MAX_REFERENCE_LENGTH = 128


_Amount = Annotated[int, documented("In minor units", minimum=1, maximum=MAX_AMOUNT)]
_Currency = Annotated[str, documented("ISO 4217 code", enum=sorted(CURRENCIES), examples=["USD"])]
_Reason = Annotated[str, documented_text("Why", MAX_TEXT_LENGTH)]
_Reference = Annotated[str, documented_text("What the provider calls it", MAX_REFERENCE_LENGTH, examples=["ch_1"])]


class RequestCharge(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a customer to be charged for an order."""

    customer_id: Annotated[str, documented("Who pays", pattern=IDENTIFIER_PATTERN)]
    currency: _Currency
    amount: _Amount


class RecordSettling(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the provider has taken the charge on and will say later whether it succeeds."""

    charge_id: _Reference


class RecordCharge(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the provider has charged the customer."""

    charge_id: _Reference
    currency: _Currency
    amount: _Amount


class RecordDecline(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the provider will not charge the customer."""

    reason: _Reason


class VoidPayment(Struct, frozen=True, forbid_unknown_fields=True):
    """Give up a payment: one that has not succeeded yet must not succeed any more, one that has is given back."""

    reason: _Reason


class RecordRefund(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the provider has given the money back."""

    refund_id: _Reference


class RecordRefundFailure(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the provider will not give the money back."""

    reason: _Reason


PaymentCommand = (
    RequestCharge | RecordSettling | RecordCharge | RecordDecline | VoidPayment | RecordRefund | RecordRefundFailure
)

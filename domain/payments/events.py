"""What has happened to the payment of an order. Times are aware and in UTC; amounts are in minor units."""

from datetime import datetime

from msgspec import Struct


class ChargeRequested(Struct, frozen=True, gc=False):
    """The customer is to be charged."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    requested_at: datetime


class ChargeSettling(Struct, frozen=True, gc=False):
    """The provider has taken the charge on and says later whether it succeeds."""

    order_id: str
    charge_id: str
    settling_at: datetime


class PaymentCharged(Struct, frozen=True, gc=False):
    """The customer was charged."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    charge_id: str
    charged_at: datetime


class PaymentDeclined(Struct, frozen=True, gc=False):
    """The provider will not charge the customer."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    reason: str
    declined_at: datetime


class PaymentVoided(Struct, frozen=True, gc=False):
    """The payment was given up before it had succeeded; a charge that succeeds nevertheless is given back."""

    order_id: str
    reason: str
    voided_at: datetime


class RefundRequested(Struct, frozen=True, gc=False):
    """The money is to be given back."""

    order_id: str
    currency: str
    amount: int
    charge_id: str
    reason: str
    requested_at: datetime


class PaymentRefunded(Struct, frozen=True, gc=False):
    """The money was given back; `charged_at` says in which day's figures it stands."""

    order_id: str
    customer_id: str
    currency: str
    amount: int
    refund_id: str
    charged_at: datetime
    refunded_at: datetime


class RefundFailed(Struct, frozen=True, gc=False):
    """The provider will not give the money back."""

    order_id: str
    reason: str
    failed_at: datetime


PaymentEvent = (
    ChargeRequested
    | ChargeSettling
    | PaymentCharged
    | PaymentDeclined
    | PaymentVoided
    | RefundRequested
    | PaymentRefunded
    | RefundFailed
)

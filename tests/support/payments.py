"""The payment of an order to test with: its events, and how it comes into each state."""

from msgspec import Struct

from domain.payments.events import (
    ChargeRequested,
    ChargeSettling,
    PaymentCharged,
    PaymentDeclined,
    PaymentRefunded,
    PaymentVoided,
    RefundFailed,
    RefundRequested,
)
from domain.payments.payment import Status
from tests.support.decider import NOON

REQUESTED = ChargeRequested("o-1", "ada", "USD", 1900, NOON)
SETTLING = ChargeSettling("o-1", "ch_1", NOON)
CHARGED = PaymentCharged("o-1", "ada", "USD", 1900, "ch_1", NOON)
DECLINED = PaymentDeclined("o-1", "ada", "USD", 1900, "no funds", NOON)
VOIDED = PaymentVoided("o-1", "too late", NOON)
REFUNDING = RefundRequested("o-1", "USD", 1900, "ch_1", "cancelled", NOON)
REFUNDED = PaymentRefunded("o-1", "ada", "USD", 1900, "re_1", NOON, NOON)
REFUND_FAILED = RefundFailed("o-1", "account closed", NOON)

HISTORIES: dict[Status, list[Struct]] = {
    Status.REQUESTED: [REQUESTED],
    Status.SETTLING: [REQUESTED, SETTLING],
    Status.CHARGED: [REQUESTED, SETTLING, CHARGED],
    Status.DECLINED: [REQUESTED, DECLINED],
    Status.VOIDED: [REQUESTED, VOIDED],
    Status.REFUNDING: [REQUESTED, CHARGED, REFUNDING],
    Status.REFUND_FAILED: [REQUESTED, CHARGED, REFUNDING, REFUND_FAILED],
    Status.REFUNDED: [REQUESTED, CHARGED, REFUNDING, REFUNDED],
}

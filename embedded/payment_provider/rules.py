"""What becomes of a charge: decided by the customer alone, so that a test or a demo can tell beforehand."""

import zlib
from typing import Annotated

from msgspec import Meta, Struct

from embedded.payment_provider.objects import RefundStatus, Status

DECLINED = "card-declined"
LATER = "settles-later"
DECLINED_LATER = "declined-later"
REFUND_FAILS = "refund-fails"
REFUND_LATER = "refund-later"

_Percent = Annotated[int, Meta(ge=0, le=100)]


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of a hundred customers are declined, settle later, and are declined later; the others are charged at
    once. Which ones follows from crc32(customer) modulo 100, in this order.

    A customer whose name begins with one of the words above is treated as the word says, whatever the shares are.
    """

    declined: _Percent = 0
    later: _Percent = 0
    declined_later: _Percent = 0

    def __post_init__(self) -> None:
        if self.declined + self.later + self.declined_later > 100:
            raise ValueError("the shares add up to more than 100")

    def charge(self, customer: str) -> tuple[Status, Status]:
        """What the charge is at first, and in the end."""
        if customer.startswith(DECLINED):
            return "declined", "declined"
        if customer.startswith(LATER):
            return "pending", "succeeded"
        if customer.startswith(DECLINED_LATER):
            return "pending", "declined"
        place = zlib.crc32(customer.encode()) % 100
        for share, outcome in (
            (self.declined, ("declined", "declined")),
            (self.later, ("pending", "succeeded")),
            (self.declined_later, ("pending", "declined")),
        ):
            if place < share:
                return outcome  # type: ignore[return-value]
            place -= share
        return "succeeded", "succeeded"

    def refund(self, customer: str) -> tuple[RefundStatus, RefundStatus]:
        """What a refund is at first, and in the end."""
        if customer.startswith(REFUND_FAILS):
            return "failed", "failed"
        if customer.startswith(REFUND_LATER):
            return "pending", "succeeded"
        return "succeeded", "succeeded"

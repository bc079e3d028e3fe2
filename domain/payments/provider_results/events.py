"""What has happened to what the provider told about one reference."""

from datetime import datetime

from msgspec import Struct


class ProviderResultKept(Struct, frozen=True, gc=False):
    """The provider told something; it is kept as it came. The fields are those of KeepResult."""

    reference: str
    result_id: str
    kind: str
    charge_id: str
    refund_id: str
    currency: str
    amount: int
    charged: int
    reason: str
    body: str
    kept_at: datetime


class ProviderResultMatched(Struct, frozen=True, gc=False):
    """The payment says the same."""

    reference: str
    result_id: str
    matched_at: datetime


class ProviderResultWithoutPayment(Struct, frozen=True, gc=False):
    """There is no payment that it is about, not yet at least."""

    reference: str
    result_id: str
    missed_at: datetime


class ProviderResultMismatched(Struct, frozen=True, gc=False):
    """The payment contradicts it."""

    reference: str
    result_id: str
    detail: str
    mismatched_at: datetime


class ProviderResultOffered(Struct, frozen=True, gc=False):
    """There is a payment now: it is to be matched again. The fields are those of the result."""

    reference: str
    result_id: str
    kind: str
    charge_id: str
    refund_id: str
    currency: str
    amount: int
    charged: int
    reason: str
    offered_at: datetime


ProviderResultEvent = (
    ProviderResultKept
    | ProviderResultMatched
    | ProviderResultWithoutPayment
    | ProviderResultMismatched
    | ProviderResultOffered
)

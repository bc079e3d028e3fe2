"""What we ask of a payment provider, whichever it is. Amounts are in minor units, currencies ISO 4217 codes."""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct


class Refund(Struct, frozen=True):
    """Money that was given back, or is to be. `failure` says why it was not."""

    refund_id: str
    charge_id: str
    amount: int
    status: Literal["succeeded", "pending", "failed"]
    failure: str = ""


class Charge(Struct, frozen=True):
    """A charge as the provider has it. `pending`: what comes of it is told later, by a webhook. `decline` says why it
    was declined, `refunded` how much of it has been given back."""

    charge_id: str
    reference: str
    amount: int
    currency: str
    status: Literal["succeeded", "pending", "declined"]
    decline: str = ""
    refunded: int = 0
    refunds: tuple[Refund, ...] = ()


class ChargePage(Struct, frozen=True):
    """Charges in the order of their last change; `cursor` asks for what comes after them. `more`: some are there."""

    charges: tuple[Charge, ...]
    cursor: str
    more: bool


class ProviderEvent(Struct, frozen=True):
    """What a webhook tells, in our words. `kind` is one of domain.payments.provider_results.results.KINDS, or the
    provider's own word for what does not concern us; then the other fields are empty.

    `amount` is what was charged or given back, `charged` the whole charge. `id` is an identifier, and the same when the
    webhook is delivered again.
    """

    id: str
    kind: str
    reference: str = ""
    charge_id: str = ""
    refund_id: str = ""
    currency: str = ""
    amount: int = 0
    charged: int = 0
    reason: str = ""


class RefusedByProvider(Exception):
    """The provider will never do what was asked; the text says why."""


class PaymentProvider(Protocol):
    """Every method raises DependencyUnavailable when there is no definite answer; then it is not known what was done,
    and the same call, with the same key, finds out."""

    async def charge(self, key: str, amount: int, currency: str, *, reference: str, customer: str) -> Charge:
        """Charges a customer, at most once for a key: a repeated call gets the first charge, or what has become of it.

        A charge whose amount or currency is not the one asked for is answered as it is. Raises RefusedByProvider.
        """

    async def refund(self, key: str, charge_id: str, amount: int, reason: str) -> Refund:
        """Gives a part of a charge back, or all of it, at most once for a key. Raises RefusedByProvider, such as when
        more was to be given back than is left."""

    async def get(self, charge_id: str) -> Charge | None:
        """A charge as it is now."""

    async def find(self, key: str) -> Charge | None:
        """The charge that was made under a key, as it is now."""

    async def list_since(self, cursor: str | None, limit: int = 100) -> ChargePage:
        """The charges that have changed since the cursor (None: all), each as it is now."""

    async def ping(self) -> None:
        """Returns when the provider answers."""

    async def close(self) -> None:
        """Ends the connections."""


class WebhookReader(Protocol):
    """Proves that a webhook comes from the provider, and reads it."""

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> ProviderEvent:
        """What the webhook tells; header names are in small letters, `now` is in epoch seconds. Raises
        WebhookRefused."""

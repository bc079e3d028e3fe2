"""Which event is told to a customer, and in which words: one line an event."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.documents.events import (
    ContractDeclined,
    ContractExpired,
    ContractSealed,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.ordering.events import OrderCancelled, OrderConfirmed, OrderDelivered, OrderShipped
from domain.payments.events import PaymentRefunded
from infrastructure.outside.mail.template import MailTemplate

Values = Callable[[Any], Mapping[str, str]]


class Message(Struct, frozen=True):
    """What is told of one kind of event. `kind` names it: an order has one message of a kind at most. `values` gives
    what the template takes, `at` when it happened. `by_link` is the template where the customer can sign by a link, the
    value `link` beside the others."""

    kind: str
    template: MailTemplate
    at: Callable[[Any], datetime]
    values: Values
    by_link: MailTemplate | None = None


def _order(event: Any) -> dict[str, str]:
    return {"order_id": event.order_id, "customer_id": event.customer_id}


def _shipped(event: OrderShipped) -> dict[str, str]:
    return {**_order(event), "carrier": event.carrier, "tracking_number": event.tracking_number}


def _cancelled(event: OrderCancelled | ContractWithdrawn | ContractDeclined) -> dict[str, str]:
    return {**_order(event), "reason": event.reason}


def _refunded(event: PaymentRefunded) -> dict[str, str]:
    return {**_order(event), "amount": amount(event.amount, event.currency)}


def _to_sign(event: SignatureRequested | SignatureReminded) -> dict[str, str]:
    return {
        **_order(event),
        "until": f"{event.expires_at:%Y-%m-%d %H:%M} UTC",
        "document_sha256": event.document_sha256,
    }


def amount(minor_units: int, currency: str) -> str:
    """As people read it. How many minor units make one of a currency is not known here, so hundredths are written only
    where they are usual."""
    if currency in _HUNDREDTHS:
        return f"{minor_units // 100}.{minor_units % 100:02d} {currency}"
    return f"{minor_units} {currency} (in its smallest unit)"


_HUNDREDTHS = frozenset("AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS INR MXN NOK NZD PLN SEK SGD USD ZAR".split())

_GREETING = "Dear $customer_id,"

MESSAGES: dict[type[Struct], Message] = {
    OrderConfirmed: Message(
        "order-confirmed",
        MailTemplate(
            "order-confirmed",
            "Your order $order_id is confirmed",
            (_GREETING, "thank you: your order $order_id is confirmed.", "You get another mail when it is on its way."),
        ),
        lambda event: event.confirmed_at,
        _order,
    ),
    OrderShipped: Message(
        "order-shipped",
        MailTemplate(
            "order-shipped",
            "Your order $order_id is on its way",
            (
                _GREETING,
                "your order $order_id was handed to $carrier.",
                "Its tracking number there is $tracking_number.",
            ),
        ),
        lambda event: event.shipped_at,
        _shipped,
    ),
    OrderDelivered: Message(
        "order-delivered",
        MailTemplate(
            "order-delivered",
            "Your order $order_id has arrived",
            (_GREETING, "your order $order_id was delivered.", "If you did not get it, answer this mail."),
        ),
        lambda event: event.delivered_at,
        _order,
    ),
    OrderCancelled: Message(
        "order-cancelled",
        MailTemplate(
            "order-cancelled",
            "Your order $order_id was cancelled",
            (
                _GREETING,
                "your order $order_id was cancelled, for this reason: $reason.",
                "What you have paid for it, if anything, is given back.",
            ),
        ),
        lambda event: event.cancelled_at,
        _cancelled,
    ),
    PaymentRefunded: Message(
        "payment-refunded",
        MailTemplate(
            "payment-refunded",
            "Your payment for order $order_id was given back",
            (_GREETING, "we have given back $amount, which you had paid for order $order_id."),
        ),
        lambda event: event.refunded_at,
        _refunded,
    ),
    SignatureRequested: Message(
        "contract-to-sign",
        MailTemplate(
            "contract-to-sign",
            "The contract of your order $order_id is ready to be signed",
            (
                _GREETING,
                "the contract of your order $order_id is ready. You can read and sign it until $until.",
                "The document has the SHA-256 $document_sha256.",
            ),
        ),
        lambda event: event.requested_at,
        _to_sign,
        MailTemplate(
            "contract-to-sign-by-link",
            "The contract of your order $order_id is ready to be signed",
            (
                _GREETING,
                "the contract of your order $order_id is ready. You can read it, and sign or decline, until $until:",
                "$link",
                "Whoever has this link can sign for you: pass it on to nobody.",
                "The document has the SHA-256 $document_sha256.",
            ),
        ),
    ),
    SignatureReminded: Message(
        "contract-reminder",
        MailTemplate(
            "contract-reminder",
            "The contract of your order $order_id still waits for you",
            (
                _GREETING,
                "the contract of your order $order_id is not signed yet. You can read and sign it until $until.",
                "The document has the SHA-256 $document_sha256.",
            ),
        ),
        lambda event: event.reminded_at,
        _to_sign,
        MailTemplate(
            "contract-reminder-by-link",
            "The contract of your order $order_id still waits for you",
            (
                _GREETING,
                "the contract of your order $order_id is not signed yet. You can read it, and sign or decline, until "
                "$until:",
                "$link",
                "Whoever has this link can sign for you: pass it on to nobody.",
                "The document has the SHA-256 $document_sha256.",
            ),
        ),
    ),
    ContractDeclined: Message(
        "contract-declined",
        MailTemplate(
            "contract-declined",
            "You have declined the contract of your order $order_id",
            (
                _GREETING,
                "you have declined to sign the contract of your order $order_id, for this reason: $reason.",
                "If that was not you, answer this mail.",
            ),
        ),
        lambda event: event.declined_at,
        _cancelled,
    ),
    ContractExpired: Message(
        "contract-expired",
        MailTemplate(
            "contract-expired",
            "The contract of your order $order_id was not signed in time",
            (
                _GREETING,
                "the time to sign the contract of your order $order_id is over: it can't be signed any more.",
                "If you still want it, answer this mail.",
            ),
        ),
        lambda event: event.expired_at,
        _order,
    ),
    ContractSealed: Message(
        "contract-signed",
        MailTemplate(
            "contract-signed",
            "You have signed the contract of your order $order_id",
            (
                _GREETING,
                "thank you: the contract of your order $order_id is signed, and has a digital signature now.",
            ),
        ),
        lambda event: event.sealed_at,
        _order,
    ),
    ContractWithdrawn: Message(
        "contract-withdrawn",
        MailTemplate(
            "contract-withdrawn",
            "The contract of your order $order_id is void",
            (_GREETING, "there is nothing to sign for your order $order_id any more, for this reason: $reason."),
        ),
        lambda event: event.withdrawn_at,
        _cancelled,
    ),
}

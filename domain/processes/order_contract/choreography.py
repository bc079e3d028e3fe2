"""From the order that was confirmed to the contract that is sealed, and the customer who was told of it.

All of it stands in three streams, whose names follow from the order's id: so the chain is read from there, and nothing
has to be written for it.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from domain.documents.events import (
    ContractCompleted,
    ContractCustomerNotified,
    ContractDeclined,
    ContractExpired,
    ContractRendered,
    ContractRequested,
    ContractSealed,
    ContractSentToProvider,
    ContractSigned,
    ContractWithdrawn,
    SignatureReminded,
    SignatureRequested,
)
from domain.model.choreography import Choreography, Reaction
from domain.model.personal import REDACTED
from domain.notifications.events import NotificationFailed, NotificationRequested, NotificationSent
from domain.ordering.events import OrderCancelled, OrderConfirmed

_SETTLED = (ContractSigned, ContractDeclined, ContractExpired, ContractWithdrawn)
_OF_NOTIFICATIONS = (NotificationRequested, NotificationSent, NotificationFailed)
_OTHERS = (
    *(OrderConfirmed, OrderCancelled),
    *(ContractRequested, ContractRendered, SignatureRequested, ContractSentToProvider, SignatureReminded, *_SETTLED),
    *(ContractSealed, ContractCompleted, ContractCustomerNotified),
)


def _belongs(event: Any) -> bool:
    """Of the order the two events that concern its contract, of the notifications those about it, all of its own."""
    return isinstance(event, _OTHERS) or (isinstance(event, _OF_NOTIFICATIONS) and event.kind.startswith("contract-"))


def _same_kind(cause: Any, effect: Any) -> bool:
    return bool(cause.kind == effect.kind)


def _of_kind(kind: str) -> Callable[[Any, Any], bool]:
    return lambda _cause, effect: effect.kind == kind


def _mail(after: type[Struct], kind: str, *, expected: bool = True) -> Reaction:
    awaited = f"the mail {kind}" if expected else ""
    return Reaction(after, (NotificationRequested,), "notifying", awaited, pairs=_of_kind(kind))


ORDER_CONTRACT = Choreography(
    name="order_contract",
    categories=("order", "contract", "notification"),
    belongs=_belongs,
    begins_with=(OrderConfirmed, ContractRequested),
    reactions=(
        Reaction(OrderConfirmed, (ContractRequested,), "contract_requests", "the request for the contract"),
        Reaction(
            ContractRequested,
            (ContractRendered,),
            "contract_steps",
            "the document",
            unless=_SETTLED,
            applies=lambda requested: requested.customer_name != REDACTED,
        ),
        Reaction(
            ContractRendered,
            (SignatureRequested,),
            "contract_steps",
            "the request for the signature",
            unless=_SETTLED,
        ),
        Reaction(
            SignatureRequested,
            (ContractSigned, ContractDeclined, ContractExpired),
            "the customer",
            "the customer's signature",
            unless=_SETTLED,
            until="expires_at",
        ),
        Reaction(SignatureRequested, (SignatureReminded,), "contract_deadlines"),
        Reaction(SignatureRequested, (ContractSentToProvider,), "contract_signing"),
        # Without a key nothing is sealed, and the certificate follows from the signature itself.
        Reaction(
            ContractSigned, (ContractSealed,), "contract_steps", "the digital signature", unless=(ContractCompleted,)
        ),
        Reaction(ContractSigned, (ContractCompleted,), "contract_steps"),
        Reaction(ContractSealed, (ContractCompleted,), "contract_steps", "the certificate of completion"),
        Reaction(
            OrderCancelled,
            (ContractWithdrawn,),
            "contract_requests",
            "the withdrawal of the contract",
            unless=_SETTLED,
        ),
        _mail(SignatureRequested, "contract-to-sign"),
        _mail(SignatureReminded, "contract-reminder"),
        _mail(ContractSealed, "contract-signed"),
        _mail(ContractWithdrawn, "contract-withdrawn"),
        _mail(ContractDeclined, "contract-declined", expected=False),
        _mail(ContractExpired, "contract-expired", expected=False),
        Reaction(
            NotificationRequested,
            (NotificationSent, NotificationFailed),
            "notifying",
            "that the mail goes out",
            pairs=_same_kind,
        ),
        Reaction(
            NotificationSent,
            (ContractCustomerNotified,),
            "contract_steps",
            "the note that the customer was told",
            pairs=_same_kind,
        ),
    ),
    correlation=lambda order_id: f"contract-{order_id}",
    shown=(
        *("document_sha256", "sealed_sha256", "certificate_sha256", "size", "template", "template_version", "renderer"),
        *("completion_sha256", "signed_sha256", "audit_sha256", "provider", "request_id", "channel"),
        *("expires_at", "kind", "reference"),
    ),
)

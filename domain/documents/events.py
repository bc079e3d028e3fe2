"""What has happened to the contract of an order: each step with the SHA-256 of the document that it speaks of.

`document_sha256` is of the document that the customer reads and signs, in hexadecimal. Times are aware and in UTC;
amounts are in minor units of `currency`. What is personal is marked, and encrypted in the log.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Struct

from domain.model.personal import Personal

_PERSONAL = Personal("customer", "customer_id")


class ContractLine(Struct, frozen=True, gc=False):
    """A line of the order, as the contract shows it."""

    sku: str
    quantity: int
    unit_price: int
    discount: int
    total: int


class ContractRequested(Struct, frozen=True):
    """An order's contract is to be made; all that it says stands here, so that it can be made again."""

    order_id: str
    customer_id: str
    customer_name: Annotated[str, _PERSONAL]
    currency: str
    lines: list[ContractLine]
    total: int
    ordered_at: datetime
    confirmed_at: datetime
    requested_at: datetime


class ContractRendered(Struct, frozen=True, gc=False):
    """The document was made, and is kept; `size` is in bytes."""

    order_id: str
    customer_id: str
    document_sha256: str
    size: int
    template: str
    template_version: int
    renderer: str
    rendered_at: datetime


class SignatureRequested(Struct, frozen=True, gc=False):
    """The customer may sign until `expires_at`."""

    order_id: str
    customer_id: str
    document_sha256: str
    expires_at: datetime
    requested_at: datetime


class ContractSentToProvider(Struct, frozen=True, gc=False):
    """The customer is to sign at a signing provider, which is asked after this: `expires_at` is the last moment."""

    order_id: str
    customer_id: str
    document_sha256: str
    provider: str
    expires_at: datetime
    sent_at: datetime


class SignatureReminded(Struct, frozen=True, gc=False):
    """The time to sign is nearly over, and the customer is to hear of it."""

    order_id: str
    customer_id: str
    document_sha256: str
    expires_at: datetime
    reminded_at: datetime


class ContractSigned(Struct, frozen=True, gc=False):
    """The customer has typed a name and consented that it stands for a signature.

    `channel` is "api" for who proved to be the customer by a token, "link" for who came by the link of the mail,
    "provider" for who has signed at the signing provider: then `signed_sha256` is of the document with the signature,
    `audit_sha256` of the provider's audit trail, and `request_id` the provider's name of the request; all three are
    empty otherwise. `consent_version` names the words of the consent, see domain.documents.consent. `address` and
    `user_agent` are of who came by the link, as far as they are known; empty otherwise.
    """

    order_id: str
    customer_id: str
    document_sha256: str
    name: Annotated[str, _PERSONAL]
    signed_at: datetime
    channel: str
    consent_version: str
    address: Annotated[str, _PERSONAL]
    user_agent: Annotated[str, _PERSONAL]
    signed_sha256: str = ""
    audit_sha256: str = ""
    request_id: str = ""


class ContractDeclined(Struct, frozen=True, gc=False):
    """The customer will not sign."""

    order_id: str
    customer_id: str
    document_sha256: str
    reason: str
    declined_at: datetime


class ContractExpired(Struct, frozen=True, gc=False):
    """Nobody has signed in time."""

    order_id: str
    customer_id: str
    document_sha256: str
    expired_at: datetime


class ContractWithdrawn(Struct, frozen=True, gc=False):
    """The contract was taken back before it was signed; `document_sha256` is empty where none was made yet."""

    order_id: str
    customer_id: str
    document_sha256: str
    reason: str
    withdrawn_at: datetime


class ContractSealed(Struct, frozen=True, gc=False):
    """The signed document has a digital signature: `sealed_sha256` is of the document with it, and
    `certificate_sha256` of the certificate that it was made under."""

    order_id: str
    customer_id: str
    document_sha256: str
    sealed_sha256: str
    size: int
    certificate_sha256: str
    sealed_at: datetime


class ContractCompleted(Struct, frozen=True, gc=False):
    """Nothing is left to be done: the certificate of completion was made, and is kept. `completion_sha256` is of it,
    `size` is in bytes."""

    order_id: str
    customer_id: str
    document_sha256: str
    completion_sha256: str
    size: int
    template: str
    template_version: int
    renderer: str
    completed_at: datetime


class ContractCustomerNotified(Struct, frozen=True, gc=False):
    """The customer was told of the step that the contract was at."""

    order_id: str
    customer_id: str
    document_sha256: str
    kind: str
    reference: str
    notified_at: datetime


ContractEvent = (
    ContractRequested
    | ContractRendered
    | SignatureRequested
    | ContractSentToProvider
    | SignatureReminded
    | ContractSigned
    | ContractDeclined
    | ContractExpired
    | ContractWithdrawn
    | ContractSealed
    | ContractCompleted
    | ContractCustomerNotified
)

"""What the provider keeps: requests for signatures. Times are in epoch seconds; a document travels in base64."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Status = Literal["open", "completed", "declined", "expired", "cancelled"]

_Word = Annotated[str, Meta(min_length=1, max_length=200)]


class Signer(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose signature is wanted."""

    name: _Word
    mail: Annotated[str, Meta(pattern="^[^@\\s]{1,64}@[^@\\s]{1,190}$")]


class SignatureRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`reference` is the merchant's own name for what is signed; `sha256` is of the document's bytes."""

    document: Annotated[str, Meta(min_length=1)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    signer: Signer
    reference: _Word
    expires_at: float


class Cancellation(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(max_length=500)] = ""


class Act(Struct, frozen=True, forbid_unknown_fields=True):
    """What whoever plays the signer says: why it is declined."""

    reason: Annotated[str, Meta(max_length=500)] = "I do not agree"


class Signature(Struct, frozen=True):
    """A request and what has become of it. `sha256` is of the document as it was sent; `signed_sha256` of it with the
    signature and `audit_sha256` of the audit trail, once it is completed; `reason` is why it was declined or cancelled.
    `sequence` rises with every change, over all requests."""

    id: str
    key: str
    reference: str
    sha256: str
    signer_name: str
    signer_mail: str
    status: Status
    reason: str
    expires_at: float
    created: float
    viewed: float | None
    ended: float | None
    signed_sha256: str
    audit_sha256: str
    sequence: int


class SignaturePage(Struct, frozen=True):
    """Requests in the order of their last change. `next` is the cursor for what comes after them."""

    requests: list[Signature]
    next: int
    more: bool


class Event(Struct, frozen=True):
    """The body of a webhook: what happened, and the request as it was then."""

    id: str
    type: str
    created: float
    request: Signature

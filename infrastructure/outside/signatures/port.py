"""What we ask of a signing provider, whichever it is. Times are aware and in UTC."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct


class SignatureWish(Struct, frozen=True):
    """Whose signature is wanted upon which document; `document_sha256` is of its bytes, in hexadecimal. `reference` is
    our own name for it, the order's id; after `expires_at` it can't be signed any more."""

    document: bytes
    document_sha256: str
    signer_name: str
    signer_mail: str
    reference: str
    expires_at: datetime


class Signature(Struct, frozen=True):
    """A request as the provider has it. `reason` is why it was declined or cancelled. `ended_at` is when it was
    completed, declined, or ended otherwise; `signed_sha256` is of the document with the signature, and `audit_sha256`
    of the audit trail, once it is completed."""

    request_id: str
    reference: str
    document_sha256: str
    signer_name: str
    status: Literal["open", "completed", "declined", "expired", "cancelled"]
    expires_at: datetime
    reason: str = ""
    ended_at: datetime | None = None
    signed_sha256: str = ""
    audit_sha256: str = ""


class SignaturePage(Struct, frozen=True):
    """Requests in the order of their last change; `cursor` asks for what comes after them. `more`: some are there."""

    signatures: tuple[Signature, ...]
    cursor: str
    more: bool


class ToldSignature(Struct, frozen=True):
    """What a webhook tells, in our words. `kind` is one of domain.documents.signature_results.results.KINDS, or the
    provider's own word for what does not concern us; then the other fields are empty. `id` is an identifier, and the
    same when the webhook is delivered again. What came of the request is asked for, and never taken from here."""

    id: str
    kind: str
    reference: str = ""
    request_id: str = ""


class RefusedBySignatureProvider(Exception):
    """The provider will never do what was asked; the text says why."""


class SignatureProvider(Protocol):
    """Every method raises DependencyUnavailable when there is no definite answer; then it is not known what was done,
    and the same call, with the same key, finds out."""

    async def request(self, key: str, wish: SignatureWish) -> Signature:
        """Asks for a signature, at most once for a key: a repeated call gets the first request, as it is now.

        A request for another document than was asked for is answered as it is. Raises RefusedBySignatureProvider.
        """

    async def get(self, request_id: str) -> Signature | None:
        """A request as it is now."""

    async def find(self, key: str) -> Signature | None:
        """The request that was made under a key, as it is now."""

    async def list_since(self, cursor: str | None, limit: int = 100) -> SignaturePage:
        """The requests that have changed since the cursor (None: all), each as it is now."""

    async def cancel(self, request_id: str, reason: str) -> Signature:
        """Takes a request back that is open; one that was taken back stays so. Raises RefusedBySignatureProvider, such
        as for one that is completed."""

    async def signed_document(self, request_id: str) -> bytes:
        """The document with the signature, of a request that is completed. Raises RefusedBySignatureProvider."""

    async def audit_trail(self, request_id: str) -> bytes:
        """The provider's record of how the signature came about, of a request that is completed. Raises
        RefusedBySignatureProvider."""

    async def ping(self) -> None:
        """Returns when the provider answers."""

    async def close(self) -> None:
        """Ends the connections."""


class SignatureWebhookReader(Protocol):
    """Proves that a webhook comes from the provider, and reads it."""

    def read(self, headers: Mapping[str, str], body: bytes, now: float) -> ToldSignature:
        """What the webhook tells; header names are in small letters, `now` is in epoch seconds. Raises
        WebhookRefused."""

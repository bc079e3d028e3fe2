"""What came of a signature at the provider, recorded by commands on the contract; each with a key that follows from the
fact, so that whoever learns it first records it, and all others get the same answer."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from application.contracts.records import PLURAL, StepRefused
from infrastructure.clock import utc_now
from infrastructure.document_store import DocumentStore, ForgottenDocument, ForgottenSubject, NoSuchDocument, digest_of
from infrastructure.outside.commands import CommandAnswer, CommandSender
from infrastructure.outside.signatures import RefusedBySignatureProvider, Signature, SignatureProvider
from infrastructure.outside.signatures.received import DocumentRefused, ReceivedDocument, check_received
from infrastructure.resilience import DependencyUnavailable

Check = Callable[[bytes, bytes, str, Path], Awaitable[ReceivedDocument]]
"""check(original, signed, its SHA-256 as it was told, authorities): see check_received."""


class Taken(StrEnum):
    """How the contract took it: it says the same now; there is no such contract; it contradicts; nothing came yet."""

    MATCHED = "matched"
    WITHOUT_CONTRACT = "without_contract"
    MISMATCHED = "mismatched"
    OPEN = "open"


class Verdict(Struct, frozen=True):
    """`detail` is for people."""

    taken: Taken
    detail: str = ""


_FORGOTTEN = Verdict(Taken.MISMATCHED, "the customer is forgotten: no document of theirs is kept any more")


class ProviderRecords:
    """Over the command API, the provider and the document store; `authorities` is the file with the trusted ones."""

    def __init__(
        self,
        commands: CommandSender,
        provider: SignatureProvider,
        store: DocumentStore,
        authorities: Path,
        *,
        check: Check = check_received,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._commands = commands
        self._provider = provider
        self._store = store
        self._authorities = authorities
        self._check = check
        self._clock = clock

    async def take(self, order_id: str, signature: Signature) -> Verdict:
        """Records what has come of a request, as the provider has it now.

        Raises DocumentRefused where the signed document must not be taken, StepRefused for a fault of ours, and
        DependencyUnavailable and what the document store raises.
        """
        if signature.reference != order_id:
            return Verdict(Taken.MISMATCHED, f"request {signature.request_id} is about {signature.reference[:100]!r}")
        match signature.status:
            case "open":
                return Verdict(Taken.OPEN)
            case "completed":
                return await self._completed(order_id, signature)
            case "declined":
                return await self._declined(order_id, signature)
            case "expired":
                return await self._expired(order_id, signature)
            case "cancelled":
                body = {"reason": "the signing provider has cancelled it"}
                answer = await self._send(order_id, "withdraw", body, f"cancelled-{signature.request_id}")
                return _ended(answer, "withdrawn", "declined", "expired")

    async def _completed(self, order_id: str, signature: Signature) -> Verdict:
        """The signed document and the audit trail stand in the store before the event says so."""
        if signature.ended_at is None:
            raise DependencyUnavailable("signatures", f"request {signature.request_id} is completed, at no time")
        try:
            subject = await self._subject_of(signature.document_sha256)
            original = await self._store.get(signature.document_sha256)
            content = await self._provider.signed_document(signature.request_id)
            trail = await self._provider.audit_trail(signature.request_id)
        except NoSuchDocument:
            return Verdict(Taken.MISMATCHED, f"it is about the document {signature.document_sha256}, which is not ours")
        except ForgottenDocument:
            return _FORGOTTEN
        except RefusedBySignatureProvider as refused:
            raise DocumentRefused(f"the provider does not give it out: {refused}") from refused
        if signature.audit_sha256 != digest_of(trail):
            raise DocumentRefused("the audit trail is not the one of the SHA-256 that the provider says")
        document = await self._check(original, content, signature.signed_sha256, self._authorities)
        try:
            signed_sha256 = await self._store.put(document.signed, subject)
            audit_sha256 = await self._store.put(trail, subject)
        except ForgottenSubject:
            return _FORGOTTEN
        body = {
            "document_sha256": signature.document_sha256,
            "request_id": signature.request_id,
            "name": _shown(signature.signer_name, order_id),
            "signed_at": msgspec.to_builtins(signature.ended_at),
            "signed_sha256": signed_sha256,
            "size": len(document.signed),
            "certificate_sha256": document.certificate_sha256,
            "audit_sha256": audit_sha256,
        }
        answer = await self._send(order_id, "record-signature", body, f"signed-{signature.request_id}")
        return _ended(answer)

    async def _subject_of(self, digest: str) -> str:
        """Whoever our document is kept for: what the provider made of it is forgotten with it."""
        subject = await self._store.subject_of(digest)
        if subject is None:
            # From before documents were encrypted: whose it is stands nowhere, and must not be guessed.
            message = f"the document {digest} is kept in clear: `eventfold documents encrypt` first"
            raise DependencyUnavailable("document store", message)
        return subject

    async def _declined(self, order_id: str, signature: Signature) -> Verdict:
        body = {"reason": _shown(signature.reason, "declined")}
        answer = await self._send(order_id, "decline", body, f"declined-{signature.request_id}")
        if answer.code == "time-to-sign-over":
            # It was declined in time, and is learned of when the time is over: nobody has signed, in either case.
            answer = await self._send(order_id, "expire", {}, f"expired-{signature.request_id}")
        return _ended(answer, "declined", "expired", "withdrawn")

    async def _expired(self, order_id: str, signature: Signature) -> Verdict:
        answer = await self._send(order_id, "expire", {}, f"expired-{signature.request_id}")
        if answer.code == "time-to-sign-left" and signature.expires_at > self._clock():
            detail = f"the provider says that the time is over, before {signature.expires_at.isoformat()}"
            return Verdict(Taken.MISMATCHED, detail)
        if answer.code == "time-to-sign-left":
            # Its clock is a little ahead of the command API's.
            raise DependencyUnavailable("commands", answer.detail, retry_after=1.0)
        return _ended(answer, "expired", "declined", "withdrawn")

    async def _send(self, order_id: str, action: str, body: Mapping[str, Any], fact: str) -> CommandAnswer:
        # The provider's ids may hold anything; a key is printable ASCII of bounded length.
        key = f"{order_id}-{hashlib.sha256(fact.encode()).hexdigest()[:32]}"
        return await self._commands.send(PLURAL, order_id, action, body, key=key, correlation_id=f"contract-{order_id}")


def _ended(answer: CommandAnswer, *agreeing: str) -> Verdict:
    """What the contract's answer means; `agreeing` are the states in which it says as much already."""
    if answer.accepted or answer.code in {f"contract-is-{one}" for one in agreeing}:
        return Verdict(Taken.MATCHED)
    if answer.status in (404, 410):
        return Verdict(Taken.WITHOUT_CONTRACT)
    if answer.status in (409, 422):
        return Verdict(Taken.MISMATCHED, f"{answer.code}: {answer.detail}"[:500])
    raise StepRefused(f"{answer.status} {answer.code}: {answer.detail}")


def _shown(text: str, otherwise: str) -> str:
    """As the rules take it: printable, bounded, not blank."""
    shown = "".join(one if one.isprintable() else " " for one in text)[:200].strip()
    return shown or otherwise

"""The consumer `contract_signing`: has contracts signed at the signing provider, where one is chosen.

What can be signed is sent there: an event first, then the call, with a key that follows from the order and the
document. What the provider tells is kept by its webhooks; it is only the reason to ask: what counts is what the
provider answers then, and the signed document itself. So it does not matter in which order, how often, or how late it
tells. A crash between any two steps changes nothing: the event comes again, and every key is the same.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

import structlog
from msgspec import Struct
from prometheus_client import Counter

from application.contracts.provider_records import ProviderRecords, Taken, Verdict
from application.contracts.records import StepRefused, record
from application.contracts.signers import REMEMBERED, Signers
from domain.documents.events import (
    ContractDeclined,
    ContractExpired,
    ContractSentToProvider,
    ContractWithdrawn,
    SignatureRequested,
)
from domain.documents.signature_results.events import SignatureResultKept, SignatureResultOffered
from domain.documents.signature_results.results import KINDS
from domain.model.recorded_event import RecordedEvent
from infrastructure.clock import utc_now
from infrastructure.document_store import (
    DocumentStore,
    DocumentStoreUnavailable,
    EncryptedDocuments,
    ForgottenDocument,
    document_store,
)
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient, CommandSender
from infrastructure.outside.signatures import (
    RefusedBySignatureProvider,
    Signature,
    SignatureProvider,
    SignatureWish,
)
from infrastructure.outside.signatures.configured import signature_provider, trusted_authorities
from infrastructure.outside.signatures.received import DocumentRefused
from infrastructure.outside.signatures.sandbox import SandboxSignatureProvider
from infrastructure.read_store import ReadStore
from infrastructure.resilience import DependencyUnavailable, Policy
from infrastructure.settings import load_settings
from infrastructure.telemetry.spans import note
from subscriptions.attempts import Attempts
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side

log = structlog.get_logger(__name__)

_REQUESTS = Counter(
    "eventfold_signature_requests",
    "Contracts at the signing provider: sent, late (the time was over), forgotten (the customer), refused, cancelled",
    ["outcome"],
)
for _outcome in ("sent", "late", "forgotten", "refused", "cancelled"):
    _REQUESTS.labels(_outcome)
_RESULTS = Counter(
    "eventfold_signature_results",
    "What the signing provider told, by how the contract took it: matched, without_contract (it waits for one), "
    "mismatched, refused (the signed document must not be taken)",
    ["outcome"],
)
for _outcome in ("matched", "without_contract", "mismatched", "refused"):
    _RESULTS.labels(_outcome)

_RESULT_PLURAL = "signature-results"
_END = (ContractDeclined, ContractExpired, ContractWithdrawn)


class WrongRequest(Exception):
    """Under our key the provider has a request that is not ours."""


class ContractSigning(Consumer):
    """Each customer's contracts, and what was told about each reference, in order, `at_once` of them side by side.
    Without `records`, customers sign here: then it remembers who they are, and does nothing else.

    When the provider is away, nothing is parked: the batch comes again. What alone gets no answer for `patience`
    seconds, while others do, is parked, and so is a signed document that must not be taken.
    """

    name = "contract_signing"
    version = 1
    events: frozenset[type[Struct]] = REMEMBERED | {
        SignatureRequested,
        ContractSentToProvider,
        *_END,
        SignatureResultKept,
        SignatureResultOffered,
    }

    def __init__(
        self,
        commands: CommandSender,
        signers: Signers,
        provider: SignatureProvider | None = None,
        store: DocumentStore | None = None,
        records: ProviderRecords | None = None,
        *,
        provider_name: str = "sandbox",
        at_once: int = 8,
        patience: float = 60.0,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._commands = commands
        self._signers = signers
        self._provider = provider
        self._store = store
        self._records = records
        self._provider_name = provider_name
        self._at_once = at_once
        self._attempts = Attempts(patience=patience, clock=clock)
        self._now = now

    def keys(self, event: Any) -> tuple[str, ...]:
        """The customer; of what was told, the order."""
        if isinstance(event, SignatureResultKept | SignatureResultOffered):
            return (event.reference,)
        return (event.customer_id,)

    async def prepare(self) -> None:
        await self._signers.prepare()

    async def take(self, batch: Batch) -> None:
        """Deals with every event."""
        await take_side_by_side(batch, self._handle, at_once=self._at_once)

    def outside(self) -> Sequence[Policy]:
        """Of the provider, the command API and the document store."""
        called = (self._provider, self._commands)
        policies = [one.policy for one in called if isinstance(one, SandboxSignatureProvider | CommandClient)]
        return [*policies, *(self._store.policies if isinstance(self._store, EncryptedDocuments) else [])]

    async def close(self) -> None:
        """Ends the connections to the provider and the command API, and gives up the documents."""
        for one in (self._provider, self._commands):
            if isinstance(one, SandboxSignatureProvider | CommandClient):
                await one.close()
        if self._store is not None:
            await self._store.close()

    async def _handle(self, recorded: RecordedEvent[Any], _key: str) -> None:
        if type(recorded.event) in REMEMBERED:
            await self._signers.remember(recorded)
            return
        if self._provider is None or self._store is None or self._records is None:
            return
        # Not the position alone: the log may be another one by now, restored from an older backup.
        name = (recorded.stream, recorded.revision, recorded.position, recorded.recorded_at)
        if self._attempts.is_done(name):
            return
        try:
            await self._react(recorded, self._provider, self._store, self._records)
        except DocumentStoreUnavailable as error:
            raise DependencyUnavailable("document store", str(error)) from error
        except DependencyUnavailable as error:
            self._attempts.failed(name, error)
            raise
        except DocumentRefused as error:
            _RESULTS.labels("refused").inc()
            log.error("a signed document must not be taken", stream=recorded.stream, error=str(error))
            raise
        self._attempts.done(name)

    def _react(
        self, recorded: RecordedEvent[Any], provider: SignatureProvider, store: DocumentStore, records: ProviderRecords
    ) -> Awaitable[None]:
        event, cause = recorded.event, f"{recorded.stream}-{recorded.revision}"
        match event:
            case SignatureRequested():
                return self._send(event, cause)
            case ContractSentToProvider():
                return self._request(event, cause, provider, store, records)
            case SignatureResultKept() | SignatureResultOffered():
                return self._match(event, recorded.revision, provider, records)
            case _:
                return self._cancel(event, provider)

    async def _send(self, event: SignatureRequested, cause: str) -> None:
        """The intent comes first, and the contract decides: what was signed or ended meanwhile is sent nowhere."""
        body = {"document_sha256": event.document_sha256, "provider": self._provider_name}
        passed = frozenset({"time-to-sign-over"})
        await record(self._commands, event.order_id, "send-to-provider", body, cause=cause, passed=passed)

    async def _request(
        self,
        event: ContractSentToProvider,
        cause: str,
        provider: SignatureProvider,
        store: DocumentStore,
        records: ProviderRecords,
    ) -> None:
        order_id = event.order_id
        if event.provider != self._provider_name:
            log.warning("a contract is at another signing provider", order_id=order_id, provider=event.provider)
            return
        signature = await self._asked(event, provider, store)
        if signature is None:
            return
        if signature.reference != order_id or signature.document_sha256 != event.document_sha256:
            raise WrongRequest(
                f"request {signature.request_id} is about {signature.reference[:100]!r} and the document "
                f"{signature.document_sha256}, not about order {order_id} and {event.document_sha256}"
            )
        verdict = await records.take(order_id, signature)
        note({"eventfold.signature.status": signature.status, "eventfold.signature.taken": verdict.taken})
        if verdict.taken is Taken.MISMATCHED:
            log.warning("a contract contradicts the signing provider", order_id=order_id, detail=verdict.detail)
        await self._offer_again(order_id, cause)

    async def _asked(
        self, event: ContractSentToProvider, provider: SignatureProvider, store: DocumentStore
    ) -> Signature | None:
        """The request at the provider, made now or before; None where there is none to make."""
        key = _key(event.order_id, event.document_sha256)
        if event.expires_at <= self._now():
            # Nobody was asked in time, such as when the provider was away for all of it.
            found = await provider.find(key)
            if found is None:
                _REQUESTS.labels("late").inc()
                await record(
                    self._commands, event.order_id, "expire", {}, cause=key, passed=frozenset({"time-to-sign-left"})
                )
            return found
        signer = await self._signers.of(event.customer_id)
        if signer is None:
            _REQUESTS.labels("forgotten").inc()
            return None
        try:
            document = await store.get(event.document_sha256)
        except ForgottenDocument:
            _REQUESTS.labels("forgotten").inc()
            return None
        wish = SignatureWish(
            document=document,
            document_sha256=event.document_sha256,
            signer_name=signer.name,
            signer_mail=signer.email,
            reference=event.order_id,
            expires_at=event.expires_at,
        )
        try:
            signature = await provider.request(key, wish)
        except RefusedBySignatureProvider:
            _REQUESTS.labels("refused").inc()
            raise
        _REQUESTS.labels("sent").inc()
        return signature

    async def _cancel(
        self, event: ContractDeclined | ContractExpired | ContractWithdrawn, provider: SignatureProvider
    ) -> None:
        """What ended here is taken back there, unless it has ended there too."""
        if not event.document_sha256:
            return  # it was never made, so it was never sent
        found = await provider.find(_key(event.order_id, event.document_sha256))
        if found is None or found.status != "open":
            return
        reason = event.reason if isinstance(event, ContractWithdrawn) else "it has ended"
        try:
            await provider.cancel(found.request_id, reason)
        except RefusedBySignatureProvider as refused:
            # It ended there at this moment; what it tells of that is matched as anything that it tells.
            log.warning("the signing provider cancels nothing", order_id=event.order_id, error=str(refused))
            return
        _REQUESTS.labels("cancelled").inc()

    async def _match(
        self,
        result: SignatureResultKept | SignatureResultOffered,
        revision: int,
        provider: SignatureProvider,
        records: ProviderRecords,
    ) -> None:
        if result.kind not in KINDS:
            return
        verdict = await self._verdict(result, provider, records)
        taken = Taken.MATCHED if verdict.taken is Taken.OPEN else verdict.taken
        _RESULTS.labels(taken).inc()
        note({"eventfold.match": taken})
        if taken is Taken.WITHOUT_CONTRACT:
            log.warning("the signing provider told about a contract that is not there", order_id=result.reference)
        elif taken is Taken.MISMATCHED:
            log.error(
                "a contract contradicts what the signing provider told",
                order_id=result.reference,
                detail=verdict.detail,
            )
        body = {"result_id": result.result_id, "outcome": taken, "detail": verdict.detail}
        # A result that is matched again after it was offered has another key: the event is another.
        key = f"outcome-{result.result_id}-{revision}"
        answer = await self._commands.send(_RESULT_PLURAL, result.reference, "record-outcome", body, key=key)
        # Noted before this event came again, and perhaps in other words: the contract has moved on since.
        noted = answer.code == "idempotency-key-reused" or answer.code.startswith("result-is-")
        if not answer.accepted and not noted:
            raise StepRefused(f"{answer.status} {answer.code}: {answer.detail}")

    async def _verdict(
        self,
        result: SignatureResultKept | SignatureResultOffered,
        provider: SignatureProvider,
        records: ProviderRecords,
    ) -> Verdict:
        signature = await provider.get(result.request_id)
        if signature is None:
            return Verdict(Taken.MISMATCHED, f"the provider has no request {result.request_id[:100]!r}")
        verdict = await records.take(result.reference, signature)
        if verdict.taken is Taken.OPEN and result.kind != "request.viewed":
            return Verdict(Taken.MISMATCHED, f"the provider told {result.kind}, and answers that it is open")
        return verdict

    async def _offer_again(self, order_id: str, cause: str) -> None:
        answer = await self._commands.send(_RESULT_PLURAL, order_id, "offer-again", {}, key=f"offer-{cause}")
        if not answer.accepted and answer.status != 404 and answer.code != "nothing-to-offer":
            raise StepRefused(f"{answer.status} {answer.code}: {answer.detail}")


def _key(order_id: str, document_sha256: str) -> str:
    """By which the provider knows a request: of an order and its document, at most one."""
    return f"{order_id}-{document_sha256[:32]}"


def contract_signing(store: ReadStore, calls: Calls) -> ContractSigning:
    """The consumer over the provider, the command API and the document store that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, ContractSigning.name, calls=calls)
    signers = Signers(store, settings.mail.customer_domain)
    provider, documents = signature_provider(settings), document_store(settings)
    if provider is None or documents is None:
        return ContractSigning(commands, signers)
    records = ProviderRecords(commands, provider, documents, trusted_authorities(settings))
    return ContractSigning(commands, signers, provider, documents, records, provider_name=settings.signatures.provider)

"""The consumer `contract_steps`: what follows from each step of a contract, one reaction an event.

A reaction knows its own event alone, so there is nothing that knows the whole way: request -> document -> to be signed;
signed -> sealed -> certified; and a mail that went out -> the customer was told. A crash between any two changes
nothing: the event comes again, the document has the same bytes, and the command the same key.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from prometheus_client import Counter

from application.contracts.completion import COMPLETION, completion_values
from application.contracts.history import ContractHistory, History
from application.contracts.records import record
from application.contracts.subjects import SubjectOf, of_customer, subjects
from application.contracts.wording import TEMPLATE, values
from domain.documents.events import ContractRendered, ContractRequested, ContractSealed, ContractSigned
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from domain.notifications.events import NotificationSent
from infrastructure.document_store import (
    DocumentStore,
    DocumentStoreUnavailable,
    ForgottenDocument,
    ForgottenSubject,
    document_store,
)
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient, CommandSender
from infrastructure.outside.pdf import Renderer
from infrastructure.outside.pdf.configured import renderer
from infrastructure.outside.signing import Sealer
from infrastructure.outside.signing.configured import sealer
from infrastructure.read_store import ReadStore
from infrastructure.resilience import DependencyUnavailable, Policy, backoff
from infrastructure.settings import load_settings
from infrastructure.telemetry.spans import note
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side
from subscriptions.store.retrying_store import Delays

log = structlog.get_logger(__name__)

_STEPS = Counter(
    "eventfold_contract_steps", "Steps of contracts, by what came of them: recorded, passed", ["step", "outcome"]
)
for _step in ("render", "request_signature", "seal", "certify", "record_notice"):
    for _outcome in ("recorded", "passed"):
        _STEPS.labels(_step, _outcome)

NOTICES = frozenset(
    {
        *("contract-to-sign", "contract-reminder"),
        *("contract-signed", "contract-declined", "contract-expired", "contract-withdrawn"),
    }
)
"""The kinds of messages that are about contracts."""

Reaction = Callable[[Any, str], Awaitable[bool]]
"""reaction(event, name of the event) -> whether a step was recorded; False: there was nothing to do any more."""


class ContractSteps(Consumer):
    """Each order's events in order, `at_once` orders side by side. Without a `store`, nothing is done; without the
    `history` of contracts, none gets a certificate of completion."""

    name = "contract_steps"
    version = 1
    events: frozenset[type[Struct]] = frozenset(
        {ContractRequested, ContractRendered, ContractSigned, ContractSealed, NotificationSent}
    )

    def __init__(
        self,
        commands: CommandSender,
        render: Callable[[], Renderer],
        store: DocumentStore | None,
        *,
        seal: Callable[[], Sealer] | None = None,
        history: History | None = None,
        subject_of: SubjectOf = of_customer,
        days_to_sign: int = 14,
        at_once: int = 8,
        delays: Delays = backoff,
        policies: Sequence[Policy] = (),
        closers: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._commands = commands
        self._renderer = render
        self._store = store
        self._sealer = seal
        self._history = history
        self._subject_of = subject_of
        self._time_to_sign = timedelta(days=days_to_sign)
        self._at_once = at_once
        self._delays = delays
        self._policies = policies
        self._closers = closers
        self._reactions: Mapping[type[Struct], tuple[str, Reaction]] = {
            ContractRequested: ("render", self._render),
            ContractRendered: ("request_signature", self._request_signature),
            ContractSigned: ("seal", self._seal) if seal is not None else ("certify", self._certify),
            ContractSealed: ("certify", self._certify),
            NotificationSent: ("record_notice", self._record_notice),
        }

    def keys(self, event: Any) -> tuple[str, ...]:
        """The order."""
        return (event.order_id,)

    async def prepare(self) -> None:
        """Nothing: all that it needs to remember is in the contracts."""

    async def take(self, batch: Batch) -> None:
        """Does what follows from each event."""
        if self._store is not None:
            await take_side_by_side(batch, self._handle, at_once=self._at_once, delays=self._delays)

    def outside(self) -> Sequence[Policy]:
        """Of the command API, and of the document store where it is a service."""
        commands = [self._commands.policy] if isinstance(self._commands, CommandClient) else []
        return [*commands, *self._policies]

    async def close(self) -> None:
        for close in self._closers:
            await close()

    async def _handle(self, recorded: RecordedEvent[Any], order_id: str) -> None:
        event = recorded.event
        if isinstance(event, NotificationSent) and event.kind not in NOTICES:
            return
        step, reaction = self._reactions[type(event)]
        try:
            outcome = "recorded" if await reaction(event, f"{order_id}-{recorded.revision}") else "passed"
        except (ForgottenDocument, ForgottenSubject):
            outcome = "passed"  # the customer was forgotten meanwhile: nobody is left to agree to anything
        except DocumentStoreUnavailable as error:
            raise DependencyUnavailable("document store", str(error)) from error
        _STEPS.labels(step, outcome).inc()
        note({"eventfold.contract.step": step, "eventfold.contract.outcome": outcome})

    async def _render(self, event: ContractRequested, cause: str) -> bool:
        """The document stands in the store before its event says so: what is recorded can be served."""
        assert self._store is not None, "without a store nothing is handled"
        if event.customer_name == REDACTED:
            return False  # the customer was forgotten meanwhile
        made_by = self._renderer()
        document = await made_by.render(TEMPLATE, values(event), event.confirmed_at)
        body = {
            "document_sha256": await self._store.put(document, self._subject_of(event)),
            "size": len(document),
            "template": TEMPLATE.name,
            "template_version": TEMPLATE.version,
            "renderer": made_by.name,
        }
        return await record(self._commands, event.order_id, "record-rendering", body, cause=cause, passed=frozenset())

    async def _request_signature(self, event: ContractRendered, cause: str) -> bool:
        body = {
            "document_sha256": event.document_sha256,
            "expires_at": msgspec.to_builtins(event.rendered_at + self._time_to_sign),
        }
        # In a log that is followed anew after years, what was never put up can't be signed in time any more.
        passed = frozenset({"no-time-to-sign"})
        return await record(self._commands, event.order_id, "request-signature", body, cause=cause, passed=passed)

    async def _seal(self, event: ContractSigned, cause: str) -> bool:
        """A digital signature is never twice the same. Where a crash came before its event, it is made anew, and the
        one that no event speaks of stays behind in the store."""
        assert self._store is not None, "without a store nothing is handled"
        assert self._sealer is not None, "without a key nothing is sealed"
        if event.channel == "provider":
            return False  # the provider's signature stands in the place of the shop's
        name = "" if event.name == REDACTED else f", under the name {event.name}"
        reason = f"The customer has signed this contract on {event.signed_at:%Y-%m-%d %H:%M:%S} UTC{name}"
        sealed = await self._sealer().seal(await self._store.get(event.document_sha256), reason)
        body = {
            "document_sha256": event.document_sha256,
            "sealed_sha256": await self._store.put(sealed.content, self._subject_of(event)),
            "size": len(sealed.content),
            "certificate_sha256": sealed.certificate_sha256,
        }
        return await record(self._commands, event.order_id, "record-seal", body, cause=cause, passed=frozenset())

    async def _certify(self, event: ContractSealed | ContractSigned, cause: str) -> bool:
        """The certificate of completion says what all events up to this one say: the same ones give the same bytes,
        before it gets a digital signature too."""
        assert self._store is not None, "without a store nothing is handled"
        if self._history is None or (isinstance(event, ContractSigned) and event.channel == "provider"):
            return False  # what a provider had signed is sealed at once: the certificate follows from that
        sealed = await self._store.get(event.sealed_sha256) if isinstance(event, ContractSealed) else None
        steps = await self._history(event.order_id, int(cause.rpartition("-")[2]))
        made_by, at = self._renderer(), event.sealed_at if isinstance(event, ContractSealed) else event.signed_at
        content = await made_by.render(COMPLETION, completion_values(steps, sealed), at)
        if self._sealer is not None:
            reason = f"This certificate says how the contract of order {event.order_id} was completed"
            content = (await self._sealer().seal(content, reason)).content
        body = {
            "document_sha256": event.document_sha256,
            "completion_sha256": await self._store.put(content, self._subject_of(event)),
            "size": len(content),
            "template": COMPLETION.name,
            "template_version": COMPLETION.version,
            "renderer": made_by.name,
        }
        return await record(self._commands, event.order_id, "record-completion", body, cause=cause, passed=frozenset())

    async def _record_notice(self, event: NotificationSent, cause: str) -> bool:
        body = {"kind": event.kind, "reference": event.reference}
        passed = frozenset({"customer-notified"})
        return await record(self._commands, event.order_id, "record-notice", body, cause=cause, passed=passed)


def contract_steps(_store: ReadStore, calls: Calls) -> ContractSteps:
    """The consumer over the command API and the document store that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, ContractSteps.name, calls=calls)
    store = document_store(settings)
    history = None if store is None else ContractHistory.from_settings(settings)
    return ContractSteps(
        commands,
        renderer(settings),
        store,
        seal=sealer(settings),
        history=history,
        subject_of=subjects(settings),
        days_to_sign=settings.documents.days_to_sign,
        policies=() if store is None else store.policies,
        closers=[one.close for one in (commands, store, history) if one is not None],
    )

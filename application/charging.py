"""Charges customers and gives money back, as the payments ask for it; records what the provider answers.

The payment holds the intent; this consumer calls the provider with a key that follows from it and records the result.
A crash between any two steps changes nothing: the event comes again, and every key is the same.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import structlog
from prometheus_client import Counter

from application.payment_records import KEY_REUSED, PaymentRecords, Recorded, RecordRefused
from domain.model.identifiers import is_identifier
from domain.model.recorded_event import RecordedEvent
from domain.payments.events import ChargeRequested, RefundRequested
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient, CommandSender
from infrastructure.outside.payments import PaymentProvider, RefusedByProvider
from infrastructure.outside.payments.sandbox import SandboxProvider
from infrastructure.read_store import ReadStore
from infrastructure.resilience import DependencyUnavailable, Policy
from infrastructure.settings import load_settings
from infrastructure.telemetry.spans import note
from subscriptions.attempts import Attempts
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side

log = structlog.get_logger(__name__)

_CALLS = Counter("eventfold_payment_provider_answers", "What the payment provider answered", ["call", "outcome"])
for _call, _outcomes in {
    "charge": ("succeeded", "pending", "declined", "refused"),
    "refund": ("succeeded", "pending", "failed", "refused"),
}.items():
    for _outcome in _outcomes:
        _CALLS.labels(_call, _outcome)


class PaymentCharging(Consumer):
    """Orders are dealt with side by side, `at_once` of them.

    When the provider is away, nothing is parked: the batch comes again. An order that alone gets no answer for
    `patience` seconds, while others do, is parked, so that it holds up nobody; a retry of its dead letter goes on with
    the same key.
    """

    name = "payment_charging"
    version = 1
    events = frozenset({ChargeRequested, RefundRequested})

    def __init__(
        self,
        provider: PaymentProvider,
        commands: CommandSender,
        *,
        at_once: int = 16,
        patience: float = 60.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._provider = provider
        self._commands = commands
        self._records = PaymentRecords(commands)
        self._at_once = at_once
        self._attempts = Attempts(patience=patience, clock=clock)

    def keys(self, event: Any) -> tuple[str, ...]:
        """The order."""
        return (event.order_id,)

    async def prepare(self) -> None:
        """Nothing: all that it needs to remember is in the payments, and at the provider."""

    async def take(self, batch: Batch) -> None:
        """Deals with every event."""
        await take_side_by_side(batch, self._handle, at_once=self._at_once)

    def outside(self) -> Sequence[Policy]:
        """Of the provider and the command API."""
        called = (self._provider, self._commands)
        return [one.policy for one in called if isinstance(one, SandboxProvider | CommandClient)]

    async def close(self) -> None:
        """Ends the connections to the provider and the command API."""
        for one in (self._provider, self._commands):
            if isinstance(one, SandboxProvider | CommandClient):
                await one.close()

    async def _handle(self, recorded: RecordedEvent[Any], _key: str) -> None:
        # Not the position alone: the log may be another one by now, restored from an older backup.
        event = (recorded.stream, recorded.revision, recorded.position, recorded.recorded_at)
        if self._attempts.is_done(event):
            return
        try:
            if isinstance(recorded.event, ChargeRequested):
                await self._charge(recorded.event)
            else:
                await self._refund(recorded.event, recorded.revision)
        except DependencyUnavailable as error:
            self._attempts.failed(event, error)
            raise
        self._attempts.done(event)

    async def _charge(self, asked: ChargeRequested) -> None:
        order_id = asked.order_id
        try:
            charge = await self._provider.charge(
                order_id, asked.amount, asked.currency, reference=order_id, customer=asked.customer_id
            )
        except RefusedByProvider as refused:
            _CALLS.labels("charge", "refused").inc()
            reason = f"the payment provider refused it: {refused}"
            _require(await self._records.decline(order_id, reason, order_id))
            return
        _CALLS.labels("charge", charge.status).inc()
        note({"eventfold.charge.status": charge.status})
        match charge.status:
            case "succeeded":
                recorded, detail = await self._records.charge(
                    order_id, charge.charge_id, charge.currency, charge.amount
                )
            case "pending":
                recorded, detail = await self._records.settling(order_id, charge.charge_id)
            case "declined":
                recorded, detail = await self._records.decline(order_id, charge.decline, charge.charge_id)
        if recorded is not Recorded.AGREES:
            told = {
                "charge_id": charge.charge_id,
                "currency": charge.currency,
                "amount": charge.amount,
                "charged": charge.amount,
                "reason": charge.decline,
            }
            await self._keep_for_people(order_id, f"charge.{charge.status}", charge.charge_id, told, detail)

    async def _refund(self, asked: RefundRequested, revision: int) -> None:
        order_id = asked.order_id
        # A refund that failed may be asked for again: another event, so another key.
        key = f"{order_id}-refund-{revision}"
        try:
            refund = await self._provider.refund(key, asked.charge_id, asked.amount, asked.reason)
        except RefusedByProvider as refused:
            _CALLS.labels("refund", "refused").inc()
            reason = f"the payment provider refused it: {refused}"
            _require(await self._records.refund_failure(order_id, reason, key))
            return
        _CALLS.labels("refund", refund.status).inc()
        note({"eventfold.refund.status": refund.status})
        if refund.status == "pending":
            return  # a webhook tells what comes of it
        if refund.status == "failed":
            recorded, detail = await self._records.refund_failure(order_id, refund.failure, refund.refund_id)
        elif refund.amount != asked.amount:
            recorded, detail = Recorded.CONTRADICTS, f"{refund.amount} were given back, not {asked.amount}"
        else:
            recorded, detail = await self._records.refund(order_id, refund.refund_id)
        if recorded is not Recorded.AGREES:
            told = {
                "charge_id": asked.charge_id,
                "refund_id": refund.refund_id,
                "currency": asked.currency,
                "amount": refund.amount,
                "charged": asked.amount,
                "reason": refund.failure,
            }
            await self._keep_for_people(order_id, f"refund.{refund.status}", refund.refund_id, told, detail)

    async def _keep_for_people(
        self, order_id: str, kind: str, fact: str, told: Mapping[str, object], detail: str
    ) -> None:
        """The payment contradicts the answer: kept beside the webhooks, where the mismatch is found and shown."""
        log.error("a payment contradicts the provider's answer", order_id=order_id, result_kind=kind, detail=detail)
        result_id = f"answer-{kind}-{fact}"
        if not is_identifier(result_id):
            result_id = f"answer-{hashlib.sha256(result_id.encode()).hexdigest()[:48]}"
        body = {"result_id": result_id, "kind": kind, **told, "body": ""}
        answer = await self._commands.send("provider-results", order_id, "keep", body, key=f"keep-{result_id}")
        if not answer.accepted and answer.code not in ("result-kept", KEY_REUSED):
            raise RecordRefused(f"{answer.status} {answer.code}: {answer.detail}")


def _require(recorded: tuple[Recorded, str]) -> None:
    outcome, detail = recorded
    if outcome is not Recorded.AGREES:
        raise RecordRefused(f"the payment contradicts a refusal of the provider: {detail}")


def payment_charging(_store: ReadStore, calls: Calls) -> PaymentCharging:
    """The consumer over the provider and the command API that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, PaymentCharging.name, calls=calls)
    return PaymentCharging(SandboxProvider.from_settings(settings), commands)

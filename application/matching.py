"""Matches what the payment provider told with the payments, in whatever order it came.

What finds no payment waits for one; what contradicts the payment is recorded as a mismatch, for people.
"""

import os
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import structlog
from prometheus_client import Counter

from application.payment_records import KEY_REUSED, PaymentRecords, Recorded, RecordRefused
from domain.model.recorded_event import RecordedEvent
from domain.payments.events import ChargeRequested
from domain.payments.provider_results.events import ProviderResultKept, ProviderResultOffered
from domain.payments.provider_results.results import KINDS
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient, CommandSender
from infrastructure.read_store import ReadStore
from infrastructure.resilience import DependencyUnavailable, Policy
from infrastructure.settings import load_settings
from infrastructure.telemetry.spans import note
from subscriptions.attempts import Attempts
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side

log = structlog.get_logger(__name__)

_RESULTS = Counter(
    "eventfold_payment_results",
    "What the payment provider told, by how the payment took it: agrees, no_payment (it waits for one), contradicts",
    ["outcome"],
)
for _outcome in Recorded:
    _RESULTS.labels(_outcome)

_Result = ProviderResultKept | ProviderResultOffered


class PaymentMatching(Consumer):
    """Has an order's charge request and what was told about it in one sequence, so that nothing is missed between.

    While the command API is away, nothing is parked. What alone gets no answer for `patience` seconds, while others do,
    is parked with what follows it for its order.
    """

    name = "payment_matching"
    version = 1
    events = frozenset({ProviderResultKept, ProviderResultOffered, ChargeRequested})

    def __init__(
        self,
        commands: CommandSender,
        *,
        at_once: int = 16,
        patience: float = 60.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._commands = commands
        self._records = PaymentRecords(commands)
        self._at_once = at_once
        self._attempts = Attempts(patience=patience, clock=clock)

    def keys(self, event: Any) -> tuple[str, ...]:
        """The order."""
        return (event.order_id if isinstance(event, ChargeRequested) else event.reference,)

    async def prepare(self) -> None:
        """Nothing: all that it needs to remember is in the streams of the results."""

    async def take(self, batch: Batch) -> None:
        """Matches every result."""
        await take_side_by_side(batch, self._handle, at_once=self._at_once)

    def outside(self) -> Sequence[Policy]:
        """Of the command API."""
        return [self._commands.policy] if isinstance(self._commands, CommandClient) else []

    async def close(self) -> None:
        """Ends the connections to the command API."""
        if isinstance(self._commands, CommandClient):
            await self._commands.close()

    async def _handle(self, recorded: RecordedEvent[Any], _key: str) -> None:
        # Not the position alone: the log may be another one by now, restored from an older backup.
        name = (recorded.stream, recorded.revision, recorded.position, recorded.recorded_at)
        if self._attempts.is_done(name):
            return
        event = recorded.event
        try:
            if isinstance(event, ChargeRequested):
                await self._offer_again(event.order_id, recorded.position)
            elif event.kind in KINDS:
                await self._match(event, recorded.revision)
        except DependencyUnavailable as error:
            self._attempts.failed(name, error)
            raise
        self._attempts.done(name)

    async def _match(self, result: _Result, revision: int) -> None:
        outcome, detail = await self._record(result)
        _RESULTS.labels(outcome).inc()
        note({"eventfold.match": outcome})
        match outcome:
            case Recorded.AGREES:
                await self._note(result, revision, "record-match", {})
            case Recorded.NO_PAYMENT:
                log.warning("the provider told about a payment that is not there", order_id=result.reference)
                await self._note(result, revision, "record-missing-payment", {})
            case Recorded.CONTRADICTS:
                log.error("a payment contradicts what the provider told", order_id=result.reference, detail=detail)
                await self._note(result, revision, "record-mismatch", {"detail": detail[:500] or "it differs"})

    async def _record(self, result: _Result) -> tuple[Recorded, str]:
        order_id = result.reference
        match result.kind:
            case "charge.succeeded":
                return await self._records.charge(order_id, result.charge_id, result.currency, result.amount)
            case "charge.declined":
                return await self._records.decline(order_id, result.reason, result.charge_id)
            case "refund.succeeded" if result.amount != result.charged:
                detail = f"{result.amount} of {result.charged} were given back; we give back whole charges alone"
                return Recorded.CONTRADICTS, detail
            case "refund.succeeded":
                return await self._records.refund(order_id, result.refund_id)
            case _:
                return await self._records.refund_failure(order_id, result.reason, result.refund_id)

    async def _note(self, result: _Result, revision: int, action: str, body: dict[str, object]) -> None:
        """A result that is matched again after it was offered has another key: the event is another."""
        body = {"result_id": result.result_id, **body}
        key = f"{action}-{result.result_id}-{revision}"
        answer = await self._commands.send("provider-results", result.reference, action, body, key=key)
        # Noted before this event came again, and perhaps in other words: the payment has moved on since.
        noted = answer.code == KEY_REUSED or answer.code.startswith("result-is-")
        if not answer.accepted and not noted:
            raise RecordRefused(f"{answer.status} {answer.code}: {answer.detail}")

    async def _offer_again(self, order_id: str, position: int) -> None:
        answer = await self._commands.send(
            "provider-results", order_id, "offer-again", {}, key=f"offer-{order_id}-{position}"
        )
        if not answer.accepted and answer.status != 404 and answer.code != "nothing-to-offer":
            raise RecordRefused(f"{answer.status} {answer.code}: {answer.detail}")


def payment_matching(_store: ReadStore, calls: Calls) -> PaymentMatching:
    """The consumer over the command API that the settings name."""
    return PaymentMatching(CommandClient.from_settings(load_settings(os.environ), PaymentMatching.name, calls=calls))

"""What the provider told about one reference: the state, what it decides on a command, how an event changes it."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.model.command_context import CommandContext
from domain.model.errors import Fault, InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.identifiers import identifier_faults, text_faults
from domain.payments.commands import MAX_TEXT_LENGTH
from domain.payments.provider_results.commands import (
    MAX_BODY_LENGTH,
    MAX_KIND_LENGTH,
    KeepResult,
    OfferAgain,
    ProviderResultCommand,
    RecordMatch,
    RecordMismatch,
    RecordMissingPayment,
)
from domain.payments.provider_results.events import (
    ProviderResultEvent,
    ProviderResultKept,
    ProviderResultMatched,
    ProviderResultMismatched,
    ProviderResultOffered,
    ProviderResultWithoutPayment,
)

KINDS = ("charge.succeeded", "charge.declined", "refund.succeeded", "refund.failed")
"""What the provider may tell that concerns a payment."""


class Status(StrEnum):
    KEPT = "kept"
    IGNORED = "ignored"
    WITHOUT_PAYMENT = "without_payment"
    MATCHED = "matched"
    MISMATCHED = "mismatched"


OPEN = (Status.KEPT, Status.WITHOUT_PAYMENT)
"""The states of a result that has yet to be matched."""


class Result(Struct, frozen=True):
    """One thing that the provider told."""

    kept: ProviderResultKept
    status: Status


class ProviderResults(Struct, frozen=True):
    """All that it told about one reference, by the provider's ids."""

    reference: str
    results: dict[str, Result]


def decide(
    command: ProviderResultCommand, told: ProviderResults | None, context: CommandContext
) -> list[ProviderResultEvent]:
    """The events that the command causes.

    Raises InvalidCommand, NoSuchAggregate when nothing was told about the reference, and RuleViolation: what was kept
    is not kept again (`result-kept`), what was decided on is not decided again (`result-is-...`), and there may be
    nothing to offer (`nothing-to-offer`).
    """
    _check(command, context)
    reference, at = context.aggregate_id, context.at
    results = {} if told is None else told.results
    if isinstance(command, KeepResult):
        if command.result_id in results:
            raise RuleViolation("result-kept", f"result {command.result_id} about {reference} has been kept before")
        return [_kept(command, reference, at)]
    if told is None:
        raise NoSuchAggregate(f"the provider told nothing about {reference}")
    if isinstance(command, OfferAgain):
        waiting = [one.kept for one in results.values() if one.status is Status.WITHOUT_PAYMENT]
        if not waiting:
            raise RuleViolation("nothing-to-offer", f"all that was told about {reference} has found its payment")
        return [_offered(one, at) for one in waiting]
    result = results.get(command.result_id)
    if result is None:
        raise NoSuchAggregate(f"the provider told nothing with the id {command.result_id} about {reference}")
    if result.status not in OPEN:
        raise RuleViolation(f"result-is-{result.status}", f"result {command.result_id} is {result.status} already")
    match command:
        case RecordMatch(result_id):
            return [ProviderResultMatched(reference, result_id, at)]
        case RecordMissingPayment(result_id):
            return [ProviderResultWithoutPayment(reference, result_id, at)]
        case RecordMismatch(result_id, detail):
            return [ProviderResultMismatched(reference, result_id, detail, at)]


def evolve(told: ProviderResults | None, event: ProviderResultEvent) -> ProviderResults:
    """What was told, after the event."""
    results = {} if told is None else told.results
    match event:
        case ProviderResultKept():
            result = Result(event, Status.KEPT if event.kind in KINDS else Status.IGNORED)
        case ProviderResultMatched():
            result = replace(results[event.result_id], status=Status.MATCHED)
        case ProviderResultWithoutPayment():
            result = replace(results[event.result_id], status=Status.WITHOUT_PAYMENT)
        case ProviderResultMismatched():
            result = replace(results[event.result_id], status=Status.MISMATCHED)
        case ProviderResultOffered():
            result = replace(results[event.result_id], status=Status.KEPT)
    return ProviderResults(event.reference, {**results, event.result_id: result})


def _kept(command: KeepResult, reference: str, at: datetime) -> ProviderResultKept:
    return ProviderResultKept(
        reference=reference,
        result_id=command.result_id,
        kind=command.kind,
        charge_id=command.charge_id,
        refund_id=command.refund_id,
        currency=command.currency,
        amount=command.amount,
        charged=command.charged,
        reason=command.reason,
        body=command.body,
        kept_at=at,
    )


def _offered(kept: ProviderResultKept, at: datetime) -> ProviderResultOffered:
    return ProviderResultOffered(
        reference=kept.reference,
        result_id=kept.result_id,
        kind=kept.kind,
        charge_id=kept.charge_id,
        refund_id=kept.refund_id,
        currency=kept.currency,
        amount=kept.amount,
        charged=kept.charged,
        reason=kept.reason,
        offered_at=at,
    )


def _check(command: ProviderResultCommand, context: CommandContext) -> None:
    faults = identifier_faults(context.aggregate_id, "/reference")
    if not isinstance(command, OfferAgain):
        faults += identifier_faults(command.result_id, "/result_id")
    match command:
        case KeepResult():
            faults += text_faults(command.kind, "/kind", MAX_KIND_LENGTH)
            if len(command.body) > MAX_BODY_LENGTH:
                faults.append(Fault("/body", f"is longer than {MAX_BODY_LENGTH} characters"))
            faults += _result_faults(command)
        case RecordMismatch():
            faults += text_faults(command.detail, "/detail", MAX_TEXT_LENGTH)
    if faults:
        raise InvalidCommand(faults)


def _result_faults(command: KeepResult) -> list[Fault]:
    """Of what concerns a payment, what it needs to be matched must be there."""
    faults: list[Fault] = []
    if command.kind not in KINDS:
        return faults
    needed = {"/charge_id": command.charge_id}
    if command.kind.startswith("refund."):
        needed["/refund_id"] = command.refund_id
    for pointer, value in needed.items():
        faults += text_faults(value, pointer, 128)
    if command.amount < 1:
        faults.append(Fault("/amount", f"must be above 0, not {command.amount}"))
    if len(command.reason) > MAX_TEXT_LENGTH:
        faults.append(Fault("/reason", f"is longer than {MAX_TEXT_LENGTH} characters"))
    return faults

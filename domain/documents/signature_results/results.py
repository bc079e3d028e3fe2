"""What the signing provider told about one reference: the state, what it decides, how an event changes it."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from domain.documents.signature_results.commands import (
    MAX_BODY_LENGTH,
    MAX_DETAIL_LENGTH,
    MAX_KIND_LENGTH,
    MAX_REQUEST_ID_LENGTH,
    KeepSignatureResult,
    OfferSignatureResults,
    RecordSignatureOutcome,
    SignatureResultCommand,
)
from domain.documents.signature_results.events import (
    SignatureResultDecided,
    SignatureResultEvent,
    SignatureResultKept,
    SignatureResultOffered,
)
from domain.model.command_context import CommandContext
from domain.model.errors import Fault, InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.identifiers import identifier_faults, text_faults

KINDS = ("request.viewed", "request.completed", "request.declined", "request.expired")
"""What the provider may tell that concerns a contract."""


class Status(StrEnum):
    KEPT = "kept"
    IGNORED = "ignored"
    WITHOUT_CONTRACT = "without_contract"
    MATCHED = "matched"
    MISMATCHED = "mismatched"


OPEN = (Status.KEPT, Status.WITHOUT_CONTRACT)
"""The states of a result that has yet to be matched."""


class SignatureResult(Struct, frozen=True):
    """One thing that the provider told."""

    kind: str
    request_id: str
    status: Status


class SignatureResults(Struct, frozen=True):
    """All that it told about one reference, by the provider's ids."""

    reference: str
    results: dict[str, SignatureResult]


def decide(
    command: SignatureResultCommand, told: SignatureResults | None, context: CommandContext
) -> list[SignatureResultEvent]:
    """The events that the command causes.

    Raises InvalidCommand, NoSuchAggregate when nothing was told about the reference, and RuleViolation: what was kept
    is not kept again (`result-kept`), what was decided on is not decided again (`result-is-...`), and there may be
    nothing to offer (`nothing-to-offer`).
    """
    _check(command, context)
    reference, at = context.aggregate_id, context.at
    results = {} if told is None else told.results
    if isinstance(command, KeepSignatureResult):
        if command.result_id in results:
            raise RuleViolation("result-kept", f"result {command.result_id} about {reference} has been kept before")
        return [SignatureResultKept(reference, command.result_id, command.kind, command.request_id, command.body, at)]
    if told is None:
        raise NoSuchAggregate(f"the signing provider told nothing about {reference}")
    if isinstance(command, OfferSignatureResults):
        waiting = {name: one for name, one in results.items() if one.status is Status.WITHOUT_CONTRACT}
        if not waiting:
            raise RuleViolation("nothing-to-offer", f"all that was told about {reference} has found its contract")
        return [SignatureResultOffered(reference, name, one.kind, one.request_id, at) for name, one in waiting.items()]
    result = results.get(command.result_id)
    if result is None:
        raise NoSuchAggregate(f"the provider told nothing with the id {command.result_id} about {reference}")
    if result.status not in OPEN:
        raise RuleViolation(f"result-is-{result.status}", f"result {command.result_id} is {result.status} already")
    return [SignatureResultDecided(reference, command.result_id, command.outcome, command.detail, at)]


def evolve(told: SignatureResults | None, event: SignatureResultEvent) -> SignatureResults:
    """What was told, after the event."""
    results = {} if told is None else told.results
    match event:
        case SignatureResultKept():
            status = Status.KEPT if event.kind in KINDS else Status.IGNORED
            result = SignatureResult(event.kind, event.request_id, status)
        case SignatureResultDecided():
            result = replace(results[event.result_id], status=Status(event.outcome))
        case SignatureResultOffered():
            result = replace(results[event.result_id], status=Status.KEPT)
    return SignatureResults(event.reference, {**results, event.result_id: result})


def _check(command: SignatureResultCommand, context: CommandContext) -> None:
    faults = identifier_faults(context.aggregate_id, "/reference")
    if not isinstance(command, OfferSignatureResults):
        faults += identifier_faults(command.result_id, "/result_id")
    match command:
        case KeepSignatureResult():
            faults += text_faults(command.kind, "/kind", MAX_KIND_LENGTH)
            faults += _length_faults(command.body, "/body", MAX_BODY_LENGTH)
            if command.kind in KINDS:
                faults += text_faults(command.request_id, "/request_id", MAX_REQUEST_ID_LENGTH)
        case RecordSignatureOutcome():
            faults += _length_faults(command.detail, "/detail", MAX_DETAIL_LENGTH)
    if faults:
        raise InvalidCommand(faults)


def _length_faults(text: str, pointer: str, most: int) -> list[Fault]:
    return [] if len(text) <= most else [Fault(pointer, f"is longer than {most} characters")]

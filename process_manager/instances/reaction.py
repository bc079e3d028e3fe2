"""From a trigger to the events that are appended for it, all at once. Pure."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.model.aggregate import Aggregate
from domain.model.personal import personal_inputs
from domain.model.process import NO_ANSWER, RESOLVED, Answer, Command, Decision, ProcessContext, TimerDue
from domain.model.process_events import (
    CommandAnswered,
    CommandIssued,
    CompensationFailed,
    CompensationResolved,
    ProcessEnded,
    ProcessTriggered,
    TimerCancelled,
    TimerFired,
    TimerSet,
)
from infrastructure.name_based_ids import uuid5_text
from infrastructure.telemetry import NO_TRACE, TraceContext
from process_manager.instances.instance import Instance, Recorded, body_of, trigger_id

_COMMAND_IDS = uuid.UUID("6d0a3b0e-4a9b-5f6e-9a52-1d1f0f3c2b11")


class InvalidDecision(Exception):
    """The process decided something that can't be: a fault in its code."""


class Trigger(Struct, frozen=True):
    """What an instance reacts to: what its `decide` is given, and how that is recorded. `recorded` are events to be
    appended with the reaction: that an answer came, that it was time. `trace` is an event's own."""

    kind: str
    id: str
    name: str
    payload: Any
    stream: str = ""
    position: int = -1
    recorded: tuple[Struct, ...] = ()
    trace: TraceContext = NO_TRACE


class Routes:
    """Where the commands of the application's aggregates are sent to."""

    def __init__(self, aggregates: Iterable[Aggregate]) -> None:
        self._routes: Mapping[tuple[str, type[Struct]], tuple[str, str]] = {
            (aggregate.category, one.struct): (aggregate.plural, "" if one.creates else one.action)
            for aggregate in aggregates
            for one in aggregate.commands
        }

    def of(self, command: Command) -> tuple[str, str]:
        """The plural and the action ("" creates). Raises InvalidDecision where no aggregate takes the command, and
        for one with personal fields."""
        found = self._routes.get((command.category, type(command.command)))
        if found is None:
            raise InvalidDecision(f"no aggregate {command.category} takes {type(command.command).__name__}")
        if personal_inputs(type(command.command)):
            # It would stand in clear in the instance's stream.
            raise InvalidDecision(f"{type(command.command).__name__} has personal fields, so no process may send it")
        return found


def of_recorded(event: Recorded, *, new: bool) -> Trigger:
    """The trigger that a recorded answer, timer or resolution is; with `new` it is recorded together with the
    reaction."""
    recorded = (event,) if new else ()
    match event:
        case CommandAnswered():
            payload: Any = Answer(event.step, event.accepted, event.status, event.code, event.detail)
            return Trigger("answer", trigger_id(event), event.step, payload, recorded=recorded)
        case TimerFired():
            payload = TimerDue(event.name, event.due_at)
            return Trigger("timer", trigger_id(event), event.name, payload, recorded=recorded)
        case CompensationResolved():
            payload = Answer(event.step, True, code=RESOLVED, detail=event.reason)
            return Trigger("answer", trigger_id(event), event.step, payload, recorded=recorded)


def reaction(instance: Instance, trigger: Trigger, routes: Routes, at: datetime) -> list[Struct]:
    """The events that record the trigger and all that follows from it; only what was recorded anyway, when an instance
    that has ended takes no notice of it. Raises InvalidDecision, and what the process raises."""
    answered = trigger.payload.step if isinstance(trigger.payload, Answer) else None
    context = ProcessContext(
        instance.id,
        at,
        (instance.open_steps | instance.failures.keys()) - {answered},
        {name: timer.due_at for name, timer in instance.timers.items() if name != _fired(trigger)},
    )
    failed = _failed_compensation(instance, trigger, at)
    if failed is not None:
        return [*trigger.recorded, _triggered(instance, trigger, at), failed]
    decision = instance.process.decide(trigger.payload, instance.state, context)
    if instance.outcome and _is_nothing(decision, instance.outcome):
        return list(trigger.recorded)
    return [
        *trigger.recorded,
        _triggered(instance, trigger, at),
        *_events(instance, trigger, decision, context, routes),
    ]


def _is_nothing(decision: Decision, outcome: str) -> bool:
    parts = decision.events, decision.commands, decision.timers, decision.cancelled_timers, decision.failures
    return not any(parts) and decision.ended in ("", outcome)


def _failed_compensation(instance: Instance, trigger: Trigger, at: datetime) -> CompensationFailed | None:
    """A compensation that was refused is for an operator to see to; the process is told when that is done."""
    answer = trigger.payload
    if not isinstance(answer, Answer) or answer.accepted:
        return None
    sent = instance.last_command(answer.step)
    if sent is None or not sent.issued.compensation:
        return None
    names = instance.process.name, instance.id, answer.step, sent.issued.command
    return CompensationFailed(*names, answer.code or str(answer.status), answer.detail, at)


def _fired(trigger: Trigger) -> str | None:
    return trigger.payload.name if isinstance(trigger.payload, TimerDue) else None


def _triggered(instance: Instance, trigger: Trigger, at: datetime) -> ProcessTriggered:
    names = instance.process.name, instance.id, trigger.kind, trigger.id, trigger.name
    return ProcessTriggered(*names, at, trigger.stream, trigger.position)


def _events(
    instance: Instance, trigger: Trigger, decision: Decision, context: ProcessContext, routes: Routes
) -> list[Struct]:
    names, at = (instance.process.name, instance.id), context.at
    events: list[Struct] = [*decision.events]
    for name in decision.cancelled_timers:
        if name in context.timers:
            events.append(TimerCancelled(*names, instance.timers[name].timer, name, at))
    for index, timer in enumerate(decision.timers):
        events.append(TimerSet(*names, _derived(instance, trigger, f"timer|{index}"), timer.name, timer.due_at, at))
    open_steps = set(context.open)
    for index, command in enumerate(decision.commands):
        if command.step in open_steps:
            raise InvalidDecision(f"{instance.process.name}: step {command.step} has an open command already")
        open_steps.add(command.step)
        plural, action = routes.of(command)
        events.append(
            CommandIssued(
                *names,
                command=_derived(instance, trigger, str(index)),
                step=command.step,
                plural=plural,
                aggregate_id=command.aggregate_id,
                action=action,
                body=body_of(command.command),
                at=at,
                compensation=command.compensation,
                satisfied_by=sorted(command.satisfied_by),
                attempts=command.attempts,
            )
        )
    for failure in decision.failures:
        last = instance.last_command(failure.step)
        if last is None:
            raise InvalidDecision(f"{instance.process.name}: step {failure.step} had no command that could fail")
        events.append(CompensationFailed(*names, failure.step, last.issued.command, failure.code, failure.detail, at))
    if decision.ended:
        if open_steps or decision.failures:
            raise InvalidDecision(f"{instance.process.name} ends while {', '.join(sorted(open_steps)) or 'stuck'}")
        events.append(ProcessEnded(*names, decision.ended, at))
    return events


def _derived(instance: Instance, trigger: Trigger, what: str) -> str:
    """The same id for the same trigger of the same instance, so that nothing is sent twice under two ids."""
    return uuid5_text(_COMMAND_IDS, f"{instance.process.name}|{instance.id}|{trigger.id}|{what}")


def answer_to(
    issued: CommandIssued,
    answers: int,
    at: datetime,
    attempts: int,
    *,
    accepted: bool,
    status: int,
    code: str,
    detail: str,
) -> CommandAnswered:
    """The record of an answer; a refusal that says that nothing is left to do counts as accepted."""
    return CommandAnswered(
        process=issued.process,
        instance=issued.instance,
        command=issued.command,
        step=issued.step,
        answer=answers + 1,
        accepted=accepted or code in issued.satisfied_by,
        status=status,
        at=at,
        code=code,
        detail=detail[:500],
        attempts=attempts,
    )


def without_answer(issued: CommandIssued, answers: int, at: datetime, attempts: int, cause: str) -> CommandAnswered:
    """The record that a compensation is given up, because nobody says what comes of it."""
    return answer_to(issued, answers, at, attempts, accepted=False, status=0, code=NO_ANSWER, detail=cause)

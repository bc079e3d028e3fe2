"""Spans of what instances do. An instance is one trace, however long it lives: that of the event which began it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind

from domain.model.process_events import CommandIssued
from infrastructure.telemetry.spans import NOTHING, begin_span, is_tracing
from process_manager.instances.instance import Instance
from process_manager.instances.reaction import Trigger


def reaction_span(instance: Instance, trigger: Trigger) -> AbstractContextManager[Span]:
    """What an instance decides on a trigger, until it is appended.

    It continues the trace of the instance; an event of another trace is linked, such as one that follows from what the
    payment provider told, or from what a person did.
    """
    if not is_tracing():
        return NOTHING
    process = instance.process.name
    attributes = {
        "eventfold.process": process,
        "eventfold.instance": instance.id,
        "eventfold.trigger": trigger.kind,
        "eventfold.trigger.name": trigger.name,
    }
    if trigger.kind == "event":
        attributes |= {
            "messaging.system": "eventstoredb",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": process,
            "messaging.destination.name": trigger.stream.partition("-")[0],
            "messaging.message.id": trigger.id,
        }
    kind = SpanKind.CONSUMER if trigger.kind == "event" else SpanKind.INTERNAL
    parent, links = _continued(instance, trigger)
    return begin_span(f"react {process}", kind, attributes, parent=parent, links=links)


def step_span(instance: Instance, issued: CommandIssued) -> AbstractContextManager[Span]:
    """A step that an instance has decided on: its command, until its answer is recorded."""
    if not is_tracing():
        return NOTHING
    attributes: dict[str, str | bool] = {
        "eventfold.process": instance.process.name,
        "eventfold.instance": instance.id,
        "eventfold.step": issued.step,
        "eventfold.command_id": issued.command,
        "eventfold.compensation": issued.compensation,
    }
    name = f"step {issued.step.partition(':')[0]}"
    return begin_span(name, SpanKind.INTERNAL, attributes, parent=_current() or instance.trace.context)


def _continued(instance: Instance, trigger: Trigger) -> tuple[Context | None, Sequence[Link]]:
    cause = trigger.trace.context or _current()
    if not instance.begun:
        return cause, ()
    own = instance.trace.context
    if own is None or cause is None or _span_of(own).trace_id == _span_of(cause).trace_id:
        return cause or own, ()
    return own, [Link(_span_of(cause))]


def _current() -> Context | None:
    """The context of the current span, if there is one: what an instance does goes on in the tasks that it starts."""
    span = trace.get_current_span()
    return trace.set_span_in_context(span, Context()) if span.get_span_context().is_valid else None


def _span_of(context: Context) -> SpanContext:
    return trace.get_current_span(context).get_span_context()

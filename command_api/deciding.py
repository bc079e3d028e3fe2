"""Deciding: the events that a command causes on the state that was loaded, if its sender may cause them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NoReturn

from msgspec import Struct
from opentelemetry import trace

from command_api.aggregates import LoadedAggregate
from command_api.ownership import require_own
from command_api.requests import CommandRequest
from domain.model.aggregate import Aggregate
from domain.model.command_context import CommandContext
from domain.model.errors import NoSuchAggregate, RuleViolation
from infrastructure.telemetry.spans import is_recording


class StaleVersion(Exception):
    """The aggregate is not at the version that the client named in If-Match; `revision` is the one it is at."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"it is at version {revision}")
        self.revision = revision


def decided(aggregate: Aggregate, loaded: LoadedAggregate, request: CommandRequest, at: datetime) -> Sequence[Struct]:
    """The events that the command causes.

    Raises InvalidCommand, RuleViolation, NoSuchAggregate, StaleVersion or Forbidden.
    """
    try:
        events = aggregate.decide(request.command, loaded.state, CommandContext(request.aggregate_id, at))
    except RuleViolation:
        _require_version(loaded, request)
        raise
    _require_version(loaded, request)
    require_own(aggregate, loaded.state, events, request)
    if is_recording():
        names = [type(event).__name__ for event in events]
        trace.get_current_span().add_event("decided", {"eventfold.events": names})
    return events


def refuse_as_missing(aggregate: Aggregate, request: CommandRequest, at: datetime) -> NoReturn:
    """Raises what the command gets where there is no such aggregate."""
    decided(aggregate, LoadedAggregate(read=True), request, at)
    raise NoSuchAggregate(f"there is no {aggregate.category} {request.aggregate_id}")


def _require_version(loaded: LoadedAggregate, request: CommandRequest) -> None:
    if request.if_match is not None and loaded.revision not in request.if_match:
        raise StaleVersion(loaded.revision)

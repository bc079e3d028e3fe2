"""What the other layers need to know about an aggregate: its streams, commands, events and the two pure functions."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from domain.model.command_context import CommandContext
from domain.model.event_types import EventType

Decide = Callable[[Any, Any, CommandContext], Sequence[Struct]]
"""decide(command, state or None, context) -> events; raises InvalidCommand, RuleViolation or NoSuchAggregate."""

Evolve = Callable[[Any, Any], Any]
"""evolve(state or None, event) -> state."""


class CommandType(Struct, frozen=True):
    """A command: its Struct, the path segment it is posted to, and whether it creates the aggregate."""

    struct: type[Struct]
    action: str
    creates: bool = False
    summary: str = ""


class Aggregate(Struct, frozen=True):
    """One kind of aggregate. A stream is `<category>-<id>`; routes are under `/<plural>`."""

    category: str
    plural: str
    state: type[Struct]
    commands: tuple[CommandType, ...]
    events: tuple[EventType, ...]
    decide: Decide
    evolve: Evolve

    @property
    def id_field(self) -> str:
        """The name of the aggregate's id in responses, such as `order_id`."""
        return f"{self.category}_id"

    def stream(self, aggregate_id: str) -> str:
        return f"{self.category}-{aggregate_id}"

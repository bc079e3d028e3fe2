"""What the other layers need to know of an aggregate: its streams, commands, events and the two pure functions."""

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
    """One kind of aggregate. A stream is `<category>-<id>`; routes stand under `/<plural>`."""

    category: str
    plural: str
    state: type[Struct]
    commands: tuple[CommandType, ...]
    events: tuple[EventType, ...]
    decide: Decide
    evolve: Evolve

    @property
    def id_field(self) -> str:
        """The name of the aggregate's id in answers, such as `order_id`."""
        return f"{self.category}_id"

    def stream(self, aggregate_id: str) -> str:
        """The stream of one instance."""
        return f"{self.category}-{aggregate_id}"


def category_of(stream: str) -> str:
    """What stands before the first hyphen of a stream's name, as EventStoreDB's `$by_category` has it."""
    return stream.partition("-")[0]

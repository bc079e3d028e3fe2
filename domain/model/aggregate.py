"""What the other layers need to know about an aggregate: its streams, commands, events and the two pure functions."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import fields, replace

from domain.model.access import Access
from domain.model.command_context import CommandContext
from domain.model.event_types import EventType
from domain.model.personal import personal_fields

Decide = Callable[[Any, Any, CommandContext], Sequence[Struct]]
"""decide(command, state or None, context) -> events; raises InvalidCommand, RuleViolation or NoSuchAggregate."""

Evolve = Callable[[Any, Any], Any]
"""evolve(state or None, event) -> state."""


class CommandType(Struct, frozen=True):
    """A command: its Struct, the path segment it is posted to, and whether it creates the aggregate.

    One that `creates` is valid only where there is none yet, and has routes of its own. One that `may_create` is an
    action like any other that is valid there too; an aggregate that was deleted then begins anew.

    `access` says who may send it; its owner is the aggregate's to say. No service serves a command without.
    """

    struct: type[Struct]
    action: str
    creates: bool = False
    summary: str = ""
    may_create: bool = False
    access: Access | None = None


class Aggregate(Struct, frozen=True):
    """One kind of aggregate. A stream is `<category>-<id>`; routes are under `/<plural>`.

    `begins_with` are the events that make the state anew, whatever was before: a stream that was deleted and written
    again, or cut off, is whole where the first event left is one of them. Without any, only a stream that still has its
    very first event is whole.

    With `snapshot_every`, the state is stored after every so many events in a companion stream, so that long streams
    load fast and a stream that was cut off can still be decided on. `state_version` rises when `state` or `evolve`
    change: snapshots of another version are not used.

    `owner` names the field of the state that says whose it is: who may not change everybody's then changes their own
    alone, and never makes it another's. `read_access` is for its history and for its state at an earlier moment.

    Raises ValueError when it asks for snapshots and can't have them, and when its rules are not what they must be.
    """

    category: str
    plural: str
    state: type[Struct]
    commands: tuple[CommandType, ...]
    events: tuple[EventType, ...]
    decide: Decide
    evolve: Evolve
    begins_with: frozenset[type[Struct]] = frozenset()
    snapshot_every: int | None = None
    state_version: int = 1
    owner: str = ""
    read_access: Access | None = None

    def __post_init__(self) -> None:
        self._check_access()
        unknown = self.begins_with - {event_type.struct for event_type in self.events}
        if unknown:
            names = ", ".join(sorted(one.__name__ for one in unknown))
            raise ValueError(f"{self.category} begins with {names}, which is none of its events")
        if self.snapshot_every is None:
            return
        if self.snapshot_every < 1:
            raise ValueError(f"{self.category}: snapshot_every is at least 1, not {self.snapshot_every}")
        if any(personal_fields(one.struct) or one.personal for one in self.events):
            raise ValueError(
                f"{self.category} has personal fields, which its snapshots would keep in clear: it has none"
            )
        if not self.begins_with:
            # A stream that was deleted and written again could not be told from one that was cut off.
            raise ValueError(f"{self.category} asks for snapshots, so it must say which events it begins with")

    def _check_access(self) -> None:
        owned = {field.name: field.type for field in fields(self.state)}
        if self.owner and owned.get(self.owner) is not str:
            raise ValueError(f"{self.category} has the owner {self.owner}, which is no text of {self.state.__name__}")
        for access in (self.read_access, *(command.access for command in self.commands)):
            if access is not None and access.owner:
                raise ValueError(f"{self.category}: the owner stands in the aggregate, not in the rule {access.scope}")

    def access_to(self, command: CommandType) -> Access | None:
        """The rule of one of its commands, with the owner."""
        return self._owned(command.access)

    @property
    def access_to_history(self) -> Access | None:
        """The rule of its history and of its earlier states, with the owner."""
        return self._owned(self.read_access)

    def owner_of(self, state: Any) -> str:
        """Whose it is by its state; "" where it has no owner."""
        return str(getattr(state, self.owner)) if self.owner else ""

    def _owned(self, access: Access | None) -> Access | None:
        return access if access is None or access.shared else replace(access, owner=self.owner)

    @property
    def id_field(self) -> str:
        """The name of the aggregate's id in responses, such as `order_id`."""
        return f"{self.category}_id"

    def stream(self, aggregate_id: str) -> str:
        return f"{self.category}-{aggregate_id}"

    @property
    def snapshot_category(self) -> str:
        """The category of the companion streams; no aggregate may have it."""
        return f"{self.category}_snapshot"

    def snapshot_stream(self, aggregate_id: str) -> str:
        """The companion stream of one instance."""
        return f"{self.snapshot_category}-{aggregate_id}"

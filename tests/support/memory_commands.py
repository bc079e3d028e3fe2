"""Commands carried out in memory by the rules themselves, for tests of what sends them."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from domain.model.aggregate import Aggregate
from domain.model.command_context import CommandContext
from domain.model.errors import InvalidCommand, NoSuchAggregate, RuleViolation
from infrastructure.clock import utc_now
from infrastructure.outside.commands import CommandAnswer


class MemoryCommands:
    """A CommandSender over some aggregates. `before` and `after` are called for every command, before and after it has
    taken effect: what they raise is what the sender gets."""

    def __init__(self, *aggregates: Aggregate) -> None:
        self.events: dict[str, list[Any]] = {}
        self.sent: list[tuple[str, str, str]] = []
        self.before: Callable[[str], None] = lambda _action: None
        self.after: Callable[[str], None] = lambda _action: None
        self._aggregates = {one.plural: one for one in aggregates}
        self._answers: dict[tuple[str, str], CommandAnswer] = {}

    async def send(
        self,
        plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
    ) -> CommandAnswer:
        self.before(action)
        self.sent.append((plural, aggregate_id, action))
        place = (f"{plural}/{aggregate_id}", key or str(uuid.uuid4()))
        if place not in self._answers:
            self._answers[place] = self._carried_out(self._aggregates[plural], aggregate_id, action, body)
        self.after(action)
        return self._answers[place]

    def _carried_out(
        self, aggregate: Aggregate, aggregate_id: str, action: str, body: Mapping[str, Any]
    ) -> CommandAnswer:
        struct = next(one.struct for one in aggregate.commands if one.action == action or (one.creates and not action))
        events = self.events.setdefault(aggregate.stream(aggregate_id), [])
        state = None
        for event in events:
            state = aggregate.evolve(state, event)
        command = msgspec.convert(body, struct)
        try:
            events += aggregate.decide(command, state, CommandContext(aggregate_id, utc_now()))
        except RuleViolation as refused:
            return CommandAnswer(False, 409, refused.code, refused.detail)
        except NoSuchAggregate as refused:
            return CommandAnswer(False, 404, "not-found", str(refused))
        except InvalidCommand as refused:
            return CommandAnswer(False, 400, "invalid-command", str(refused))
        return CommandAnswer(True, 200, revision=len(events) - 1, position=0)

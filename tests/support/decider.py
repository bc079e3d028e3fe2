"""given / when / then for deciders: events that happened, a command, what comes of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.model.aggregate import Aggregate
from domain.model.command_context import CommandContext
from domain.model.errors import InvalidCommand, RuleViolation

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class Given:
    """An aggregate to which `events` have happened."""

    def __init__(self, aggregate: Aggregate, aggregate_id: str, *events: Any) -> None:
        self.aggregate = aggregate
        self.context = CommandContext(aggregate_id, NOON)
        self.state: Any = None
        for event in events:
            self.state = aggregate.evolve(self.state, event)

    def when(self, command: Any) -> "When":
        return When(self, command)


class When:
    def __init__(self, given: Given, command: Any) -> None:
        self.given = given
        self.command = command

    def _decide(self) -> Sequence[Any]:
        return self.given.aggregate.decide(self.command, self.given.state, self.given.context)

    def then(self, *events: Any) -> None:
        assert list(self._decide()) == list(events)

    def then_violation(self, code: str) -> RuleViolation:
        with pytest.raises(RuleViolation) as refused:
            self._decide()
        assert refused.value.code == code
        return refused.value

    def then_error(self, kind: type[Exception]) -> None:
        with pytest.raises(kind):
            self._decide()

    def then_faults(self, *pointers: str) -> InvalidCommand:
        with pytest.raises(InvalidCommand) as refused:
            self._decide()
        assert [fault.pointer for fault in refused.value.faults] == list(pointers)
        return refused.value

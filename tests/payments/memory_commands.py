"""The command API in memory: aggregates, idempotency keys, and one log of what has happened."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from domain.model.aggregate import Aggregate
from domain.model.command_context import CommandContext
from domain.model.errors import InvalidCommand, NoSuchAggregate, RuleViolation
from domain.model.recorded_event import RecordedEvent
from infrastructure.outside.commands import CommandAnswer

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


class MemoryCommands:
    """`log` holds every event in commit order; `state` what they have made of each stream."""

    def __init__(self, *aggregates: Aggregate) -> None:
        self.log: list[RecordedEvent[Any]] = []
        self.state: dict[str, Any] = {}
        self._aggregates = {one.plural: one for one in aggregates}
        self._revisions: dict[str, int] = {}
        self._keys: dict[tuple[str, str], tuple[str, bytes]] = {}

    async def send(
        self,
        plural: str,
        aggregate_id: str,
        action: str,
        body: Mapping[str, Any],
        *,
        key: str,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> CommandAnswer:
        aggregate = self._aggregates[plural]
        stream, sent = aggregate.stream(aggregate_id), (action, msgspec.json.encode(body))
        first = self._keys.get((stream, key))
        if first is not None:
            if first == sent:
                return CommandAnswer(True, 200)
            return CommandAnswer(False, 422, "idempotency-key-reused", "the key belongs to another command")
        command_type = next(one for one in aggregate.commands if one.action == action)
        command = msgspec.convert(dict(body), command_type.struct)
        try:
            events = aggregate.decide(command, self.state.get(stream), CommandContext(aggregate_id, NOON))
        except RuleViolation as error:
            return CommandAnswer(False, 409, error.code, error.detail)
        except NoSuchAggregate as error:
            return CommandAnswer(False, 404, "not-found", str(error))
        except InvalidCommand as error:
            return CommandAnswer(False, 400, "invalid-command", str(error))
        self._keys[stream, key] = sent
        for event in events:
            revision = self._revisions[stream] = self._revisions.get(stream, -1) + 1
            self.state[stream] = aggregate.evolve(self.state.get(stream), event)
            self.log.append(RecordedEvent(event, stream, revision, len(self.log), 0))
        return CommandAnswer(True, 200)

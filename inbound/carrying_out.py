"""Carries the commands of a message out: each under an id that follows from the message, so each has one effect."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from domain.model.inbound import MappedCommand
from inbound.inbox import Inbox, InboxEntry
from inbound.reading import ErrorClass, Unusable, command_key
from infrastructure.outside.command_routes import CommandRoutes
from infrastructure.outside.commands import CommandAnswer, CommandSender

_REUSED = "idempotency-key-reused"


class CarriesOut(Protocol):
    """See CarryingOut."""

    async def carry_out(
        self, entry: InboxEntry, commands: Sequence[MappedCommand], correlation_id: str
    ) -> InboxEntry: ...


class CarryingOut:
    """Of one source, whose name is who acts."""

    def __init__(self, sender: CommandSender, routes: CommandRoutes, inbox: Inbox) -> None:
        self._sender = sender
        self._routes = routes
        self._inbox = inbox

    async def carry_out(self, entry: InboxEntry, commands: Sequence[MappedCommand], correlation_id: str) -> InboxEntry:
        """The entry after all commands have been accepted, now or earlier.

        Raises Unusable where one is refused, DependencyUnavailable, Overtaken, and what the store raises: then what was
        done stays done, and the rest is done by a repetition.
        """
        return await self._each(entry, commands, correlation_id, "")

    async def _each(
        self, entry: InboxEntry, commands: Sequence[MappedCommand], correlation_id: str, path: str
    ) -> InboxEntry:
        for index, one in enumerate(commands):
            step = f"{path}{index}"
            code = _chosen(entry, step)
            if code is None:
                answer = await self._send(entry.identity, one, step, correlation_id)
                if answer.accepted:
                    entry = _further(entry, answer)
                    continue
                entry = await self._choose(entry, one, step, answer)
                code = answer.code
            entry = await self._each(entry, one.otherwise[code], correlation_id, f"{step}.{code}.")
        return entry

    async def _send(self, identity: str, one: MappedCommand, step: str, correlation_id: str) -> CommandAnswer:
        plural, action = self._routes.of(one.category, one.command)
        body = msgspec.to_builtins(one.command)
        return await self._sender.send(
            plural, one.aggregate_id, action, body, key=command_key(identity, step), correlation_id=correlation_id
        )

    async def _choose(self, entry: InboxEntry, one: MappedCommand, step: str, answer: CommandAnswer) -> InboxEntry:
        """Stores which way the message goes on before it goes on: a repetition after a crash must not go another."""
        if answer.code not in one.otherwise:
            error_class: ErrorClass = "id-reused" if answer.code == _REUSED else "refused"
            what = f"{type(one.command).__name__} for {one.category} {one.aggregate_id[:100]}"
            raise Unusable(error_class, f"{what}: {answer.status} {answer.code}: {answer.detail}", answer.code)
        entry = msgspec.structs.replace(entry, choices=[*entry.choices, f"{step}={answer.code}"])
        await self._inbox.record(entry)
        return entry


def _chosen(entry: InboxEntry, step: str) -> str | None:
    found = [choice for choice in entry.choices if choice.startswith(f"{step}=")]
    return found[0].partition("=")[2] if found else None


def _further(entry: InboxEntry, answer: CommandAnswer) -> InboxEntry:
    position = -1 if answer.position is None else answer.position
    return msgspec.structs.replace(entry, commit_position=max(entry.commit_position, position))

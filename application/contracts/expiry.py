"""The consumer `contract_deadlines`: a contract that nobody signs in time is expired, and its customer reminded before.

It follows the contracts' events, and nothing coordinates it: each contract that is put up to be signed gets a deadline,
which goes when the contract is signed, declined, withdrawn or expired.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct

from application.contracts.deadline_watch import DeadlineWatch
from application.contracts.deadlines import FOLLOWED, Deadlines
from domain.model.recorded_event import RecordedEvent
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient
from infrastructure.read_store import ReadStore
from infrastructure.resilience import Policy, backoff
from infrastructure.settings import load_settings
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_side_by_side
from subscriptions.store.retrying_store import Delays


class ContractDeadlines(Consumer):
    """Each order's events in order, `at_once` orders side by side. `watch` does what falls due, once the consumer has
    begun; `closers` are called at the end."""

    name = "contract_deadlines"
    version = 1
    events: frozenset[type[Struct]] = FOLLOWED

    def __init__(
        self,
        deadlines: Deadlines,
        watch: DeadlineWatch,
        *,
        at_once: int = 8,
        delays: Delays = backoff,
        policies: Sequence[Policy] = (),
        closers: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._deadlines = deadlines
        self._watch = watch
        self._at_once = at_once
        self._delays = delays
        self._policies = policies
        self._closers = closers

    def keys(self, event: Any) -> tuple[str, ...]:
        """The order."""
        return (event.order_id,)

    async def prepare(self) -> None:
        """What fell due while nobody ran is done now."""
        await self._deadlines.prepare()
        self._watch.start()

    async def take(self, batch: Batch) -> None:
        """Keeps the deadlines as the events say."""
        await take_side_by_side(batch, self._handle, at_once=self._at_once, delays=self._delays)

    def outside(self) -> Sequence[Policy]:
        """Of the command API."""
        return self._policies

    async def close(self) -> None:
        await self._watch.close()
        for close in self._closers:
            await close()

    async def _handle(self, recorded: RecordedEvent[Any], _order_id: str) -> None:
        await self._deadlines.follow(recorded)


def contract_deadlines(store: ReadStore, calls: Calls) -> ContractDeadlines:
    """The consumer over the command API that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, ContractDeadlines.name, calls=calls)
    deadlines = Deadlines(store, remind_days=settings.documents.remind_days)
    return ContractDeadlines(
        deadlines, DeadlineWatch(deadlines, commands), policies=[commands.policy], closers=[commands.close]
    )

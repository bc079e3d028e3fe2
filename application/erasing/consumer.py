"""The consumer `erasing`: each customer who is forgotten has the key destroyed, which then is recorded.

A crash between any two steps changes nothing: the event comes again. One that comes late, of a customer who has come
back since, must not destroy the new key. So which keys there are is asked first, then whether anything has followed in
the customer's stream: only where nothing has are these the keys of the life that was to be forgotten. Nothing but the
record of the erasure may follow there, so none of a new life can be among them.
"""

import os
from typing import Any, Protocol

import structlog

from domain.customers.events import CUSTOMER, CustomerForgotten
from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import EventStore, StoredEvent, StreamDeleted
from infrastructure.outside.calls import Calls
from infrastructure.outside.commands import CommandClient, CommandSender
from infrastructure.personal_data import PersonalKeys, personal_keys
from infrastructure.read_store import ReadStore
from infrastructure.resilience import backoff
from infrastructure.settings import load_settings
from subscriptions.consumer import Batch, Consumer
from subscriptions.each_event import take_each
from subscriptions.store.retrying_store import Delays

log = structlog.get_logger(__name__)

PLURAL = "customers"


class ErasureRefused(Exception):
    """The customer's stream refuses the record of an erasure; the message says why."""


class Streams(Protocol):
    """See infrastructure.event_store.EventStore."""

    async def read_stream(self, stream: str, from_revision: int = ..., limit: int = ...) -> list[StoredEvent]: ...

    async def close(self) -> None: ...


class Erasing(Consumer):
    """While the key store, the event store or the command API is away, nothing is parked: the batch comes again."""

    name = "erasing"
    version = 1
    events = frozenset({CustomerForgotten})

    def __init__(
        self, keys: PersonalKeys, streams: Streams, commands: CommandSender, *, delays: Delays = backoff
    ) -> None:
        self._keys = keys
        self._streams = streams
        self._commands = commands
        self._delays = delays

    def keys(self, event: Any) -> tuple[str, ...]:
        """The customer."""
        return (event.customer_id,)

    async def prepare(self) -> None:
        """Nothing: all that it needs to remember is in the customers' streams and the key store."""

    async def take(self, batch: Batch) -> None:
        """Destroys the keys of every customer of the batch."""
        await take_each(batch, self._handle, delays=self._delays)

    async def close(self) -> None:
        """Ends the connections."""
        await self._keys.close()
        await self._streams.close()
        if isinstance(self._commands, CommandClient):
            await self._commands.close()

    async def _handle(self, recorded: RecordedEvent[Any], customer_id: str) -> None:
        subject = f"{CUSTOMER}/{customer_id}"
        generation = await self._keys.current(subject)
        try:
            followed = await self._streams.read_stream(recorded.stream, recorded.revision + 1, 1)
        except StreamDeleted:
            followed = []  # there is nobody to come back to it, and the keys are still to go
        if followed:
            return
        await self._keys.destroy(subject, generation)
        log.info("a forgotten customer's key was destroyed", customer_id=customer_id, generation=generation)
        key = f"erased-{customer_id}-{recorded.revision}"
        answer = await self._commands.send(PLURAL, customer_id, "record-erased", {}, key=key)
        # Somebody else who handled the same event may have been quicker; a stream that is gone takes no record.
        if not answer.accepted and answer.code not in ("customer-erased", "customer-registered", "deleted"):
            raise ErasureRefused(f"customer {customer_id}: {answer.status} {answer.code}: {answer.detail}")


def erasing(_store: ReadStore, calls: Calls) -> Erasing:
    """The consumer over the key store, the event store and the command API that the settings name."""
    settings = load_settings(os.environ)
    commands = CommandClient.from_settings(settings, Erasing.name, calls=calls)
    return Erasing(personal_keys(settings), EventStore.from_settings(settings), commands)

"""One consumer's way through the log: inbox, work, parked events, checkpoint, batch after batch."""

import asyncio
from collections.abc import Sequence

import structlog

from infrastructure.checkpoints import NO_TRAIL, Trail
from infrastructure.event_store import StoredEvent
from subscriptions import metrics
from subscriptions.assignment import Assignment
from subscriptions.consumer import Batch, Consumer
from subscriptions.decoding import DecodedBatch
from subscriptions.errors import ConsumerBroken
from subscriptions.following.checkpoint_writer import CheckpointWriter
from subscriptions.following.inbox import Inbox
from subscriptions.following.place import Found, Place
from subscriptions.following.selection import Selection
from subscriptions.following.throughput import Throughput
from subscriptions.parking.parking import Parking
from subscriptions.parking.set_aside import SetAside
from subscriptions.ports import EventLog
from subscriptions.store.retrying_store import RetryingStore

log = structlog.get_logger(__name__)


class Follower:
    """Brings one assignment up to date. Nothing after the position `limit` is handled, if there is one; `buffer` bounds
    the events that wait, `failure_limit` as in Parking.

    `position` is that of its checkpoint, None before the first; `handled` is how far its work is done, -1 before the
    first event; `place` is what has come into its inbox. `gate` is locked while a batch or dead letters are handled.
    `broken` says why it is stopped.
    """

    def __init__(
        self,
        consumer: Consumer,
        assignment: Assignment,
        store: RetryingStore,
        checkpoints: CheckpointWriter,
        *,
        buffer: int,
        failure_limit: int,
        limit: int | None = None,
    ) -> None:
        self.consumer = consumer
        self.assignment = assignment
        self.store = store
        self.limit = limit
        self.inbox = Inbox(buffer)
        self.parking = Parking(assignment.target, failure_limit)
        self.selection = Selection(consumer, assignment, self.parking)
        self.gate = asyncio.Lock()
        self.position: int | None = None
        self.handled = -1
        self.place = Place()
        self.throughput = Throughput()
        self.behind_since: int | None = None
        self.broken: str | None = None
        self._checkpoints = checkpoints

    @property
    def target(self) -> str:
        """The name of what it brings up to date."""
        return self.assignment.target.name

    @property
    def delivered(self) -> int:
        """The last position that has come into its inbox; -1 is before the first event."""
        return self.place.delivered

    async def start(self) -> None:
        """Loads where an earlier run stopped."""
        await self.consumer.prepare()
        await self.parking.load(self.store)
        keys, found = [ref.key for ref in self.assignment.refs], await self._checkpoints.load(self.assignment)
        self.place.load(self.assignment.target, keys, found)
        self.handled = self.delivered
        self.position = None if self.handled < 0 else self.handled
        counts = [found[key].fields if key in found else None for key in keys]
        self.throughput.total = min(0 if fields is None else fields["events"] for fields in counts)

    async def check_log(self, event_log: EventLog, found: Found) -> None:
        """Makes sure that the log is the one that was followed, or stops; an older checkpoint without a trail is given
        one. Raises EventStoreUnavailable, Stopping."""
        had_none = not self.place.trail
        await self.place.check(event_log, found)
        if had_none and self.place.trail and self.place.missing is None:
            await self._checkpoints.give_trail(self, self.delivered, self.place.trail)

    def deliver(self, batch: DecodedBatch, stored: Sequence[StoredEvent] = ()) -> None:
        """Takes a batch in; events that it has received before are left out. `stored` are all events of the batch."""
        delivered = self.delivered
        if stored and stored[0].position <= delivered:
            self.place.check_seen(stored)
        position = batch.position if self.limit is None else min(batch.position, self.limit)
        if self.place.missing is not None or position < delivered or delivered == self.limit:
            return
        events, considered = batch.events, batch.considered
        if stored and (stored[0].position <= delivered or stored[-1].position > position):
            stored = [one for one in stored if delivered < one.position <= position]
            events = [one for one in events if delivered < one.stored.position <= position]
            considered = len(events)
        if self.behind_since is None and events:
            self.behind_since = events[0].stored.recorded_at
        self.place.advance(position, stored)
        self.inbox.put(DecodedBatch(events, position, batch.caught_up, considered), self.place.trail)

    async def run(self) -> None:
        """Handles what is delivered, until a fault of the consumer itself stops it, or the log is another one. Raises
        Stopping; a batch that has begun is finished if the store allows it."""
        stopping = asyncio.ensure_future(self.store.stopping())
        lost = asyncio.ensure_future(self.place.lost.wait())
        try:
            while self.broken is None:
                coming = asyncio.ensure_future(self.inbox.take())
                await asyncio.wait({coming, stopping, lost}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done() or self.place.missing is not None:
                    coming.cancel()
                    break
                async with self.gate:
                    await self._take(*coming.result())
            self._note_other_log()
        finally:
            stopping.cancel()
            lost.cancel()
            self.inbox.abandon()

    def _note_other_log(self) -> None:
        missing = self.place.missing
        if missing is not None and self.broken is None:
            self.broken = str(missing)
            log.critical(
                "consumer stopped: the log is not the one that its checkpoint was made on",
                consumer=self.consumer.name,
                target=self.target,
                position=missing.position,
                missing_event=missing.event,
                stream=missing.stream,
                revision=missing.revision,
                found=missing.found,
            )

    async def _take(self, batch: DecodedBatch, trail: Trail = NO_TRAIL) -> None:
        """Does the work up to the batch's position, or stops the consumer when the fault is its own."""
        self.throughput.begin()
        try:
            await self._handle(batch)
        except ConsumerBroken as error:
            self.broken = str(error)
            log.critical(
                "consumer stopped: its fault is not one event's", consumer=self.consumer.name, error=self.broken
            )
            return
        self.throughput.count(batch.considered)
        if batch.position > self.handled:
            self.handled = batch.position
            self._checkpoints.note(self, batch.position, trail)
        self.behind_since = None if self.inbox.is_empty else self.behind_since

    async def _handle(self, batch: DecodedBatch) -> None:
        set_aside = SetAside(self.parking)
        steps = self.selection.select(batch.events, self.handled, set_aside)
        if steps:
            await self.consumer.take(Batch(steps, self.parking, set_aside))
            metrics.EVENTS.labels(self.consumer.name).inc(len(steps))
        await set_aside.record(self.store)

    def checkpoint_written(self, position: int) -> None:
        """The stored checkpoint is at `position` now."""
        self.position = position

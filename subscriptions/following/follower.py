"""One consumer's way through the log: inbox, work, parked events, checkpoint, batch after batch."""

import asyncio

import structlog

from subscriptions import metrics
from subscriptions.assignment import Assignment
from subscriptions.consumer import Batch, Consumer
from subscriptions.decoding import DecodedBatch
from subscriptions.errors import ConsumerBroken
from subscriptions.following.checkpoint_writer import CheckpointWriter
from subscriptions.following.inbox import Inbox
from subscriptions.following.selection import Selection
from subscriptions.following.throughput import Throughput
from subscriptions.parking.parking import Parking
from subscriptions.parking.set_aside import SetAside
from subscriptions.store.retrying_store import RetryingStore

log = structlog.get_logger(__name__)


class Follower:
    """Brings one assignment up to date. Nothing after the position `limit` is handled, if there is one; `buffer` bounds
    the events that wait, `failure_limit` as in Parking.

    `position` is that of its checkpoint, None before the first; `handled` is how far its work is done, `delivered` the
    last position that has come into its inbox; -1 is before the first event. `gate` is locked while a batch or dead
    letters are handled.
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
        self.delivered = self.handled = -1
        self.throughput = Throughput()
        self.behind_since: int | None = None
        self.broken: str | None = None
        self._checkpoints = checkpoints

    @property
    def target(self) -> str:
        """The name of what it brings up to date."""
        return self.assignment.target.name

    async def start(self) -> None:
        """Loads where an earlier run stopped."""
        await self.consumer.prepare()
        await self.parking.load(self.store)
        found = (await self._checkpoints.load(self.assignment)).values()
        base = self.assignment.target.base
        self.handled = self.delivered = min(base if one is None else one.position for one in found)
        self.position = None if self.handled < 0 else self.handled
        self.throughput.total = min(0 if one is None or one.fields is None else one.fields["events"] for one in found)

    def deliver(self, batch: DecodedBatch) -> None:
        """Takes a batch in; events that it has received before are left out."""
        position = batch.position if self.limit is None else min(batch.position, self.limit)
        if position < self.delivered or self.delivered == self.limit:
            return
        events, considered = batch.events, batch.considered
        if events and (events[0].stored.position <= self.delivered or events[-1].stored.position > position):
            events = [one for one in events if self.delivered < one.stored.position <= position]
            considered = len(events)
        if self.behind_since is None and events:
            self.behind_since = events[0].stored.recorded_at
        self.delivered = position
        self.inbox.put(DecodedBatch(events, position, batch.caught_up, considered))

    async def run(self) -> None:
        """Handles what is delivered, until a fault of the consumer itself stops it. Raises Stopping; a batch that has
        begun is finished if the store allows it."""
        stopping = asyncio.ensure_future(self.store.stopping())
        try:
            while self.broken is None:
                coming = asyncio.ensure_future(self.inbox.take())
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    coming.cancel()
                    return
                async with self.gate:
                    await self._take(coming.result())
        finally:
            stopping.cancel()
            self.inbox.abandon()

    async def _take(self, batch: DecodedBatch) -> None:
        """Does the work up to the batch's position, or stops the consumer when the fault is its own."""
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
            self._checkpoints.note(self, batch.position)
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

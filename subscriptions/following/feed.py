"""One subscription to the log, supervised, and the followers that it feeds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from infrastructure.event_codec import EventCodec
from infrastructure.event_store import Batch, EventStoreUnavailable
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.resilience import backoff
from subscriptions import metrics
from subscriptions.decoding import decode_batch
from subscriptions.errors import Stopping
from subscriptions.following.follower import Follower
from subscriptions.following.place import Found
from subscriptions.ports import Batches, EventLog
from subscriptions.store.retrying_store import Delays, pause

log = structlog.get_logger(__name__)

Delivered = Callable[["Feed"], Awaitable[None]]
"""delivered(feed): called after each batch, and now and then while the log is idle."""


class Feed:
    """Every event is read and decoded once for all the followers of a feed.

    `buffer` bounds the events read ahead; `idle_check` is in seconds (see `_next`). `delivered` is the position up to
    which the followers have received the log, `last_event` that of the last event before; -1 is before the first event.
    """

    def __init__(
        self,
        event_log: EventLog,
        codec: EventCodec,
        followers: Iterable[Follower],
        on_delivery: Delivered,
        *,
        buffer: int,
        idle_check: float,
        delays: Delays = backoff,
    ) -> None:
        self.followers = list(followers)
        self.delivered = min(follower.delivered for follower in self.followers)
        self.last_event = min(follower.place.last_event for follower in self.followers)
        self.connected = False
        self.caught_up = False
        self.trouble: str | None = None
        self.may_deliver = asyncio.Event()
        self.may_deliver.set()
        self._on_delivery = on_delivery
        self._log = event_log
        self._codec = codec
        self._buffer = buffer
        self._idle_check = idle_check
        self._over = asyncio.Event()
        self._delays = delays
        self._pauses = delays()

    def remove(self, follower: Follower) -> None:
        """Stops feeding it; with its last follower the feed ends."""
        self.detach(follower)
        follower.inbox.abandon()

    def detach(self, follower: Follower) -> None:
        """As `remove`, but it may still handle what it has received."""
        if follower in self.followers:
            self.followers.remove(follower)
            follower.inbox.release()
        if not self.followers:
            self.end()

    def end(self) -> None:
        """Reads no more."""
        self._over.set()

    def add(self, followers: Iterable[Follower]) -> None:
        """Feeds others too; they must already have received all that this feed has delivered."""
        self.followers += followers

    async def run(self) -> None:
        """Follows the log while there is anything to feed; after any failure it logs it and starts again."""
        with metrics.MISSING_SUBSCRIPTIONS.track_inprogress():
            await self._keep_following()

    async def _keep_following(self) -> None:
        while not self._over.is_set():
            try:
                await self._follow()
            except Stopping:
                return
            except (EventStoreUnavailable, KeyStoreUnavailable) as error:
                self._note(error)
                log.warning("the subscription was lost; connecting again", consumers=self._names(), error=str(error))
            except Exception as error:
                self._note(error)
                log.exception("a feed failed; subscribing again", consumers=self._names())
            if not self._over.is_set():
                metrics.RECONNECTS.inc()
                try:
                    await pause(self._over, next(self._pauses))
                except Stopping:
                    return

    async def _follow(self) -> None:
        await self._check_log()
        if self._over.is_set():
            return
        # After the last event, not after `delivered`: on the same log nothing for us can come in between, on one that
        # was restored it may.
        self.last_event = max(self.last_event, min(follower.place.last_event for follower in self.followers))
        after = None if self.last_event < 0 else self.last_event
        async with self._log.subscribe(after, buffer=self._buffer) as subscription:
            self.connected, is_checked = True, False
            metrics.MISSING_SUBSCRIPTIONS.dec()
            try:
                while not self._over.is_set():
                    batch = await self._next(subscription)
                    if batch.events and not is_checked:
                        # Only now is it certain that the server is the one that the subscription has reached.
                        await self._check_log()
                        is_checked = True
                    await self._deliver(batch)
                    await self._on_delivery(self)
            finally:
                self.connected = self.caught_up = False
                metrics.MISSING_SUBSCRIPTIONS.inc()

    async def _check_log(self) -> None:
        """Stops the followers that were on another log; with the last of them the feed ends. Raises
        EventStoreUnavailable."""
        found: Found = {}
        for follower in list(self.followers):
            await follower.check_log(self._log, found)
        self._remove_lost()

    def _remove_lost(self) -> None:
        for follower in [one for one in self.followers if one.place.missing is not None]:
            self.remove(follower)

    async def _deliver(self, batch: Batch) -> None:
        self.trouble, self._pauses = None, self._delays()
        metrics.BATCH_EVENTS.observe(len(batch.events))
        if batch.position is not None:
            decoded = await decode_batch(self._codec, batch.events, batch.position, caught_up=batch.caught_up)
            for follower in list(self.followers):
                await follower.inbox.room()
            await self.may_deliver.wait()
            for follower in self.followers:
                follower.deliver(decoded, batch.events)
            self.delivered = max(self.delivered, batch.position)
            if batch.events:
                self.last_event = max(self.last_event, batch.events[-1].position)
            self._remove_lost()
        self.caught_up = batch.caught_up

    async def _next(self, subscription: Batches) -> Batch:
        """The next batch. After `idle_check` seconds without one it asks the log whether there should have been one.

        That finds a connection that is dead without an error, and another log behind it. Raises Stopping,
        EventStoreUnavailable.
        """
        coming = asyncio.ensure_future(subscription.next_batch())
        over = asyncio.ensure_future(self._over.wait())
        try:
            while not coming.done():
                await asyncio.wait({coming, over}, timeout=self._idle_check, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    raise Stopping
                if not coming.done():
                    await self._check_silence(coming)
                    await self._on_delivery(self)
            return coming.result()
        finally:
            coming.cancel()
            over.cancel()

    async def _check_silence(self, coming: "asyncio.Future[Batch]") -> None:
        last = await self._log.last_position()
        await self._check_log()
        if last is None or last <= self.delivered or self._over.is_set():
            return
        await asyncio.wait({coming}, timeout=self._idle_check)
        if not coming.done():
            raise EventStoreUnavailable(
                f"the subscription is silent at {self.delivered}, but the log goes on to {last}"
            )

    def _names(self) -> list[str]:
        return sorted({follower.consumer.name for follower in self.followers})

    def _note(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {error}"

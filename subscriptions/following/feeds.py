"""All feeds of a process: the one that is furthest ahead, and one for each group that still catches up with it.

A rebuild, or a partition taken over from another process, reads the log for itself until it has caught up with the
others; then it joins them, and its own subscription ends. So nothing that is up to date ever waits for what is not.
"""

import asyncio
from collections.abc import Sequence

from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.resilience import backoff
from subscriptions.following.feed import Feed
from subscriptions.following.follower import Follower
from subscriptions.ports import EventLog
from subscriptions.store.retrying_store import Delays

# Followers that start further apart than this do not share a subscription: in commit positions, which are bytes.
_FAR = 16 * 1024 * 1024
# How long the furthest feed waits at most so that one that has nearly caught up can reach it.
_LONGEST_WAIT = 1.0


class Feeds:
    """`buffer` bounds the events that each feed reads ahead; `idle_check` is in seconds."""

    def __init__(
        self, event_log: EventLog, codec: EventCodec, *, buffer: int, idle_check: float, delays: Delays = backoff
    ) -> None:
        self.log = event_log
        self.codec = codec
        self._buffer = buffer
        self._idle_check = idle_check
        self._delays = delays
        self._feeds: dict[Feed, asyncio.Task[None]] = {}
        self._main: Feed | None = None

    def of(self, follower: Follower) -> Feed | None:
        """The feed of a follower; None when it has none."""
        return next((feed for feed in self._feeds if follower in feed.followers), None)

    def start(self, followers: Sequence[Follower]) -> None:
        """Feeds them from their positions, together with each other and with others that catch up where those are
        near."""
        for group in _near_each_other(followers):
            group += self._taken_from_feeds_near(group[0].delivered)
            idle_check = self._idle_check if self._main is None else self._idle_check / 10
            feed = Feed(
                self.log,
                self.codec,
                group,
                self._join_when_caught_up,
                buffer=self._buffer,
                idle_check=idle_check,
                delays=self._delays,
            )
            self._main = self._main or feed
            self._feeds[feed] = asyncio.create_task(self._run(feed))

    def _taken_from_feeds_near(self, position: int) -> list[Follower]:
        """The followers that catch up near there, taken from their feeds: to read the log once more for them would cost
        more than to skip a few events."""
        taken = []
        for feed in list(self._feeds):
            if feed is not self._main and abs(feed.delivered - position) <= _FAR:
                for follower in list(feed.followers):
                    feed.detach(follower)
                    taken.append(follower)
        return taken

    def stop(self, follower: Follower) -> None:
        for feed in list(self._feeds):
            feed.remove(follower)

    def detach(self, follower: Follower) -> None:
        """Stops feeding it for now; it may still handle what it has received. `start` continues with it."""
        for feed in list(self._feeds):
            feed.detach(follower)

    async def close(self) -> None:
        """Ends every subscription at once."""
        tasks = list(self._feeds.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, feed: Feed) -> None:
        try:
            await feed.run()
        finally:
            del self._feeds[feed]
            if self._main is feed:
                self._main = max(self._feeds, key=lambda one: one.delivered, default=None)

    async def _join_when_caught_up(self, feed: Feed) -> None:
        """Lets a feed that has caught up with the furthest one join it."""
        main = self._main
        if main is None or feed is main:
            return
        if feed.delivered < main.delivered and feed.caught_up:
            await self._close_gap(feed, main)
        if feed.delivered < main.delivered or not (feed.connected and feed.followers):
            return
        if main.caught_up or not main.connected:
            self._join(feed, main)
        else:
            self._main = feed
        main.may_deliver.set()

    async def _close_gap(self, feed: Feed, main: Feed) -> None:
        """For a feed that has read to the log's end and is still behind: either there are newer events, and the other
        feed must wait for it; or it is behind only by events that the server filters out."""
        main.may_deliver.clear()
        asyncio.get_running_loop().call_later(_LONGEST_WAIT, main.may_deliver.set)
        target = main.delivered
        try:
            missing = await self._first_after(feed.delivered)
        except EventStoreUnavailable:
            return
        if missing is None or missing > target:
            feed.delivered = max(feed.delivered, target)

    async def _first_after(self, position: int) -> int | None:
        events = self.log.read_all(None if position < 0 else position)
        try:
            async for event in events:
                return event.position
        finally:
            await events.aclose()  # type: ignore[attr-defined]
        return None

    def _join(self, feed: Feed, main: Feed) -> None:
        moving = list(feed.followers)
        main.add(moving)
        main.delivered = min(main.delivered, feed.delivered)
        main.last_event = min(main.last_event, feed.last_event)
        for follower in moving:
            feed.followers.remove(follower)
        feed.end()


def _near_each_other(followers: Sequence[Follower]) -> list[list[Follower]]:
    groups: list[list[Follower]] = []
    for follower in sorted(followers, key=lambda one: one.delivered):
        if groups and follower.delivered - groups[-1][0].delivered <= _FAR:
            groups[-1].append(follower)
        else:
            groups.append([follower])
    return groups

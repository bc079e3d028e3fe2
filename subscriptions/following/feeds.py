"""Every feed of a process: one that is furthest on, and one for each group that still catches up with it.

A rebuild, or a partition taken over from another process, reads the log for itself until it is level with the others;
then it joins them, and its own subscription ends. So nothing that is up to date ever waits for what is not.
"""

import asyncio
from collections.abc import Sequence

from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.resilience import backoff
from subscriptions import metrics
from subscriptions.following.feed import Feed
from subscriptions.following.follower import Follower
from subscriptions.ports import EventLog
from subscriptions.store.retrying_store import Delays

# Followers that start further apart than this do not share a subscription: in commit positions, which are bytes.
_FAR = 16 * 1024 * 1024
# How long the furthest feed waits at most so that one that is nearly level can come up to it.
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

    @property
    def trouble(self) -> str | None:
        """What keeps a feed from its log, if anything does."""
        return next((feed.trouble for feed in self._feeds if feed.trouble), None)

    def of(self, follower: Follower) -> Feed | None:
        """The feed of a follower; None when it has none."""
        return next((feed for feed in self._feeds if follower in feed.followers), None)

    def start(self, followers: Sequence[Follower]) -> None:
        """Feeds them from where they are, those that are near each other together, and near others that catch up."""
        for group in _near_each_other(followers):
            group += self._taken_from_feeds_near(group[0].delivered)
            idle_check = self._idle_check if self._main is None else self._idle_check / 10
            feed = Feed(
                self.log,
                self.codec,
                group,
                self._join_when_level,
                buffer=self._buffer,
                idle_check=idle_check,
                delays=self._delays,
            )
            self._main = self._main or feed
            self._feeds[feed] = asyncio.create_task(self._run(feed))

    def _taken_from_feeds_near(self, position: int) -> list[Follower]:
        """What catches up near there, taken from its feeds: to read the log once more for it would cost more than to
        skip a few events."""
        taken = []
        for feed in list(self._feeds):
            if feed is not self._main and abs(feed.delivered - position) <= _FAR:
                for follower in list(feed.followers):
                    feed.detach(follower)
                    taken.append(follower)
        return taken

    def stop(self, follower: Follower) -> None:
        """Feeds it no more."""
        for feed in list(self._feeds):
            feed.remove(follower)

    def detach(self, follower: Follower) -> None:
        """Feeds it no more for now; what it has got already it may still handle. `start` goes on with it."""
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
            self._show()

    async def _join_when_level(self, feed: Feed) -> None:
        """Lets feeds that have come level with the furthest one join it."""
        self._show()
        main = self._main
        if main is None or feed is main:
            return
        if feed.delivered < main.delivered and feed.caught_up:
            await self._await_or_ask(feed, main)
        if feed.delivered < main.delivered or not (feed.connected and feed.followers):
            return
        if main.caught_up or not main.connected:
            self._join(feed, main)
        else:
            self._main = feed
        main.may_go_on.set()

    async def _await_or_ask(self, feed: Feed, main: Feed) -> None:
        """A feed that has all the log had when it asked, and is still behind: either something has come since, which
        the other shall wait for; or it is behind in name alone, by events that the server filters out."""
        main.may_go_on.clear()
        asyncio.get_running_loop().call_later(_LONGEST_WAIT, main.may_go_on.set)
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
        for follower in moving:
            feed.followers.remove(follower)
        feed.end()

    def _show(self) -> None:
        metrics.CONNECTED.set(int(self._main is not None and self._main.connected))


def _near_each_other(followers: Sequence[Follower]) -> list[list[Follower]]:
    groups: list[list[Follower]] = []
    for follower in sorted(followers, key=lambda one: one.delivered):
        if groups and follower.delivered - groups[-1][0].delivered <= _FAR:
            groups[-1].append(follower)
        else:
            groups.append([follower])
    return groups

"""A follower as it runs: what it was started for, how it is stopped, and its state."""

import asyncio

from msgspec import Struct

from subscriptions.assignment import Assignment
from subscriptions.following.feed import Feed
from subscriptions.following.follower import Follower


class Desired(Struct, frozen=True):
    """What must be followed here, and up to which position at most (None: no limit)."""

    assignment: Assignment
    limit: int | None = None


class Worker:
    """`stop` asks the follower to finish; `replayed` are the replay requests that it has handled.
    `waits_for_outside`: it has begun a pause because something outside, no store, is away."""

    def __init__(self, desired: Desired, follower: Follower, stop: asyncio.Event) -> None:
        self.desired = desired
        self.follower = follower
        self.stop = stop
        self.trouble: str | None = None
        self.waits_for_outside = False
        self.replayed: set[str] = set()

    def condition(self, feed: Feed | None) -> tuple[str, float | None, str | None]:
        """Its state, its events per second and its trouble, as in PartitionReport."""
        follower = self.follower
        if follower.place.missing is not None:
            return "other_log", None, str(follower.place.missing)
        if follower.broken is not None:
            return "stopped", None, follower.broken
        trouble = self.trouble or follower.store.trouble or (feed and feed.trouble) or None
        if trouble is not None:
            return "waiting", None, trouble
        if feed is None or not feed.connected:
            return "starting", None, None
        rate = follower.throughput.per_second
        return ("live" if feed.caught_up else "catching_up"), rate and round(rate, 1), None

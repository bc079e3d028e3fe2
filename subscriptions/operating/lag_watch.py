"""How far behind the log each consumer is, looked up now and then for Prometheus, whichever process runs it.

What a process knows of its own followers is newer, but it is not all: events that never reached it, because its
subscription is dead or because it waits for a store, are nowhere in its memory.
"""

from collections.abc import Collection
from math import nan

from msgspec import Struct

from subscriptions import metrics
from subscriptions.operating.catalogue import Catalogue
from subscriptions.operating.status import StatusReader

COUNTED = 100
"""So many events of a lag are counted at a look, which comes every few seconds, also while there is much to catch up
with; of more the number is an estimate."""


class Seen(Struct, frozen=True):
    """A consumer's served target as it was at the last look. `position` is -1 before the first checkpoint."""

    position: int
    lag_seconds: float
    parked: int
    stopped: bool
    other_log: bool


class LagWatch:
    """Of the consumers of the names given. What can't be looked up is shown as it was seen last."""

    def __init__(self, names: Collection[str], catalogue: Catalogue, reader: StatusReader) -> None:
        self._names = names
        self._catalogue = catalogue
        self._reader = reader
        self._seen: dict[str, Seen] = {}
        for name in names:
            metrics.LAG_EVENTS.labels(name).set(nan)

    def seen(self, consumer: str) -> Seen | None:
        """A consumer as it was at the last look; None before the first."""
        return self._seen.get(consumer)

    async def look(self) -> None:
        """Looks at all of them; takes about three seconds at most. Raises what the read store raises."""
        found = await self._catalogue.load(self._names)
        targets = [targets.served for targets in found.values()]
        snapshot = await self._reader.snapshot(targets, targets)
        if not snapshot.reachable:
            return
        metrics.LOG_POSITION.set(-1 if snapshot.end is None else snapshot.end)
        for target in targets:
            position, lag = snapshot.position(target), snapshot.lag(target)
            state, _ = snapshot.state(target)
            if lag is None:
                continue
            metrics.LAG_EVENTS.labels(target.consumer).set(lag.events)
            self._seen[target.consumer] = Seen(
                position=-1 if position is None else position,
                lag_seconds=lag.seconds,
                parked=snapshot.parked.get(target.consumer, 0),
                stopped=state in ("stopped", "other_log"),
                other_log=state == "other_log",
            )

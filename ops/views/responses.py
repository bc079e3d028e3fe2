"""What the projector answers about its views, the other consumers of the log, and itself.

Every field may be missing, and is then shown as a dash: the projector may be of another release.
"""

from msgspec import Struct


class EventStore(Struct, frozen=True):
    """`position` is the commit position of the log's newest event."""

    position: int | None = None
    reachable: bool | None = None


class Instance(Struct, frozen=True):
    """A process that follows the log. `started_at` is in epoch milliseconds; `service` is None on older releases."""

    instance: str = "-"
    service: str | None = None
    alive: bool | None = None
    started_at: int | None = None
    partitions: int | None = None


class Partition(Struct, frozen=True):
    """One partition of a consumer, of a view's live build; `owner` None: nobody at the moment."""

    partition: int | None = None
    owner: str | None = None
    epoch: int | None = None
    position: int | None = None


class Rebuild(Struct, frozen=True):
    """A build that is to take the live one's place; `fraction` is 0 to 1 of the log."""

    kind: str = "rebuild"
    state: str = "-"
    collection: str = "-"
    version: int | None = None
    started_at: int | None = None
    position: int | None = None
    fraction: float | None = None
    events: int | None = None
    events_per_second: float | None = None
    seconds_left: float | None = None
    trouble: str | None = None


class Previous(Struct, frozen=True):
    """The build before the live one; `removed_at` is in epoch milliseconds."""

    collection: str = "-"
    version: int | None = None
    position: int | None = None
    removed_at: int | None = None


class Consumer(Struct, frozen=True):
    """One consumer of the log; `lag_exact` False says that `lag_events` is an estimate."""

    name: str = "-"
    version: int | None = None
    position: int | None = None
    lag_positions: int | None = None
    lag_events: int | None = None
    lag_exact: bool | None = None
    lag_seconds: float | None = None
    parked: int | None = None
    state: str = "-"
    trouble: str | None = None
    partitions: list[Partition] | None = None
    events_per_second: float | None = None


class View(Consumer, frozen=True):
    """One view: a consumer that folds the log into the documents of its live build."""

    collection: str | None = None
    rebuild: Rebuild | None = None
    previous: Previous | None = None


class Status(Struct, frozen=True):
    """Every view, every other consumer, every instance, and the log's end."""

    event_store: EventStore = EventStore()
    instances: list[Instance] | None = None
    views: list[View] = []
    consumers: list[Consumer] = []

    def view(self, name: str) -> View | None:
        """The view of that name."""
        return next((view for view in self.views if view.name == name), None)

"""What operators are told over HTTP; `eventfold` shows the same. Times: epoch milliseconds, or as their name says."""

from msgspec import Struct


class EventStoreStatus(Struct, frozen=True):
    """`position` is the commit position of the log's newest event; None on an empty log or when it can't be asked."""

    position: int | None
    reachable: bool


class InstanceStatus(Struct, frozen=True):
    """A projector process. `alive` is false once it has missed its heartbeats; `partitions` counts those it owns."""

    instance: str
    alive: bool
    started_at: int
    partitions: int


class PartitionStatus(Struct, frozen=True):
    """One partition of the live build: who owns it (None: nobody at the moment), under which epoch, how far it is."""

    partition: int
    owner: str | None
    epoch: int
    position: int | None


class RebuildStatus(Struct, frozen=True):
    """A build that is to take the live one's place.

    `kind` is rebuild, new_version or switch_back; `state` is catching_up, or holding (the live build keeps still for
    the moment of the switch), or stopped (its fold fails: see `trouble`). `fraction` (0 to 1) is of the log's
    positions; `events` counts those considered so far; `events_per_second` and `seconds_left` are None until known.
    """

    kind: str
    state: str
    collection: str
    version: int
    started_at: int
    position: int | None
    fraction: float
    events: int
    events_per_second: float | None
    seconds_left: float | None
    trouble: str | None


class PreviousBuild(Struct, frozen=True):
    """The build before the live one, kept up so that it can be gone back to until `removed_at`."""

    collection: str
    version: int
    position: int | None
    removed_at: int


class ViewStatus(Struct, frozen=True):
    """`lag_events` is the number of events that the view has not folded, an estimate unless `lag_exact`;
    `lag_positions` the distance to the log's newest event; `lag_seconds` the age of the oldest event not folded. They
    are None while the event store can't be asked. `parked` counts dead letters.

    `state` is starting, catching_up, live, switching (it keeps still for a moment), waiting (a store is away), stopped
    (the view's own fault) or unowned (no
    instance projects it, for want of one that knows its version); `trouble` says why.
    """

    name: str
    version: int
    collection: str
    position: int | None
    lag_positions: int | None
    lag_events: int | None
    lag_exact: bool
    lag_seconds: float | None
    parked: int
    state: str
    trouble: str | None
    partitions: list[PartitionStatus]
    rebuild: RebuildStatus | None
    previous: PreviousBuild | None


class Status(Struct, frozen=True):
    """The answer to GET /status and GET /views."""

    event_store: EventStoreStatus
    instances: list[InstanceStatus]
    views: list[ViewStatus]


class DeadLetterSummary(Struct, frozen=True):
    """An event set aside for a view. `kind` says whether `keys` are a stream (the event can't be read, so its
    documents are not known) or documents of the view; `first` whether it is the one that failed (true) or stands
    behind one that did (false)."""

    view: str
    collection: str
    kind: str
    keys: list[str]
    first: bool
    stream: str
    revision: int
    position: int
    event_type: str
    error: str
    recorded_at: int
    parked_at: int


class DeadLetters(Struct, frozen=True):
    """The oldest first. `next` is the position to pass as `after` for more; None on the last page."""

    dead_letters: list[DeadLetterSummary]
    next: int | None


class DeadLetter(Struct, frozen=True):
    """One dead letter with the event's data and metadata as text."""

    summary: DeadLetterSummary
    data: str
    metadata: str


class RetryOutcome(Struct, frozen=True):
    """What came of a retry or a discard. `replayed` events are folded now and no dead letters any more; `remaining`
    are still parked, because of `errors` (one line for each key that failed again)."""

    view: str
    replayed: int
    discarded: int
    remaining: int
    errors: list[str]


class Drained(Struct, frozen=True):
    """Every running view has folded the log up to `position` (None: the log is empty)."""

    position: int | None

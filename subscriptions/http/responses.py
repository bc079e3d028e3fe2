"""The responses about consumers over HTTP. Times are in epoch milliseconds, or as their name says."""

from msgspec import Struct

from subscriptions.operating.status import InstanceStatus, PartitionStatus


class EventStoreStatus(Struct, frozen=True):
    """`position` is the commit position of the log's newest event; None on an empty log or when it can't be asked."""

    position: int | None
    reachable: bool


class ConsumerStatus(Struct, frozen=True):
    """`lag_events` is the number of events that the consumer has not handled, an estimate unless `lag_exact`;
    `lag_positions` the distance to the log's newest event; `lag_seconds` the age of the oldest event not handled. They
    are None while the event store can't be asked, and on another log. `parked` counts dead letters. `state` and
    `trouble` are as in StatusSnapshot.state. `events_per_second` is of the slowest partition, None until it is known.
    """

    name: str
    version: int
    position: int | None
    lag_positions: int | None
    lag_events: int | None
    lag_exact: bool
    lag_seconds: float | None
    parked: int
    state: str
    trouble: str | None
    partitions: list[PartitionStatus]
    events_per_second: float | None = None


class Consumers(Struct, frozen=True):
    """Every consumer with one target, whichever process runs it, and every process."""

    event_store: EventStoreStatus
    instances: list[InstanceStatus]
    consumers: list[ConsumerStatus]


class DeadLetterSummary(Struct, frozen=True):
    """An event set aside for a consumer. `kind` says whether `keys` are a stream (the event can't be read, so its keys
    are not known) or keys of the consumer (for a view: documents); `first` whether it is the one that failed (true) or
    stands behind one that did (false). `target` is what it is set aside for, such as a view's build."""

    consumer: str
    target: str
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
    """The outcome of a retry or a discard. `replayed` events are handled now and no dead letters any more; `remaining`
    are still parked, because of `errors` (one line for each key that failed again)."""

    consumer: str
    replayed: int
    discarded: int
    remaining: int
    errors: list[str]


class Drained(Struct, frozen=True):
    """Every consumer asked for that runs has handled the log up to `position` (None: the log is empty)."""

    position: int | None

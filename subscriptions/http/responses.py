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


class Failed(Struct, frozen=True, kw_only=True):
    """`group` is the fingerprint of the failure (of the one before it, where it stands behind), `place` the function
    that raised, as far as it is known. It has failed again `retries` times, last at `retried_at` (0: never), which gave
    its `error`."""

    group: str = ""
    place: str = ""
    retries: int = 0
    retried_at: int = 0


class DeadLetterSummary(Failed, frozen=True):
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


class DeadLetterGroup(Struct, frozen=True):
    """The dead letters of a consumer that have failed alike, for one target. `count` is their number, `failed` how many
    of them failed themselves: the others stand behind them. `message` is the error with a # in the place of what
    differs, `place` the function that raised; `sample` is the position of the oldest that failed, of the type
    `event_type`. `first_at` and `last_at` are when the first and the last of them was parked."""

    consumer: str
    target: str
    group: str
    count: int
    failed: int
    event_type: str
    message: str
    place: str
    first_at: int
    last_at: int
    sample: int


class DeadLetterGroups(Struct, frozen=True):
    """In the order of their fingerprints. `next` is what to pass as `after` for more; None on the last page."""

    groups: list[DeadLetterGroup]
    next: str | None


class EntryOutcome(Struct, frozen=True):
    """How a request ended. `failures` are the fingerprints of what failed again, with their messages; `fault` is why it
    was not carried out to its end, empty where it was."""

    ended_at: int
    replayed: int
    discarded: int
    remaining: int
    failures: list[str]
    fault: str


class DeadLetterEntry(Struct, frozen=True):
    """What was asked for, by whom and why, and what came of it: `outcome` is None while it is under way, and where it
    was cut off. `count` dead letters were meant, at `positions` (the first thousand)."""

    request: str
    consumer: str
    action: str
    by: str
    reason: str
    group: str
    key: str
    count: int
    positions: list[int]
    requested_at: int
    outcome: EntryOutcome | None


class DeadLetterHistory(Struct, frozen=True):
    """The newest first."""

    entries: list[DeadLetterEntry]


class PortionOutcome(Struct, frozen=True):
    """The outcome of a portion of a group. `next` and `asked_at` are to be passed as `after` and `asked_at` for the
    next portion; without `next` there is none."""

    consumer: str
    replayed: int
    discarded: int
    remaining: int
    errors: list[str]
    next: int | None
    asked_at: int


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

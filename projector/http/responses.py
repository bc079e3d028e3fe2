"""The responses about views over HTTP. Times are in epoch milliseconds, or as their name says."""

from msgspec import Struct

from subscriptions.http.responses import ConsumerStatus, EventStoreStatus
from subscriptions.operating.status import InstanceStatus, PartitionStatus


class RebuildStatus(Struct, frozen=True):
    """A build that will take the live one's place.

    `kind` is rebuild, new_version or switch_back; `state` is catching_up, or switching (the live build waits for the
    moment of the switch), or stopped (its fold fails: see `trouble`). `fraction` (0 to 1) is of the log's
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
    """The build before the live one, kept up to date until `removed_at` so that it can be served again."""

    collection: str
    version: int
    position: int | None
    removed_at: int


class ViewStatus(Struct, frozen=True):
    """`lag_events` is the number of events that the view has not folded, an estimate unless `lag_exact`;
    `lag_positions` the distance to the log's newest event; `lag_seconds` the age of the oldest event not folded. They
    are None while the event store can't be asked, and on another log. `parked` counts dead letters. `state` and
    `trouble` are as in subscriptions.operating.status.StatusSnapshot.state, of the live build. `events_per_second` is
    of its slowest partition, None until it is known.
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
    events_per_second: float | None = None


class Status(Struct, frozen=True):
    """The response to GET /status and GET /views. `consumers` are all others that follow the log, whichever process
    runs them."""

    event_store: EventStoreStatus
    instances: list[InstanceStatus]
    views: list[ViewStatus]
    consumers: list[ConsumerStatus]

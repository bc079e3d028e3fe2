"""The projector's answers about dead letters, instances and consumers, as its HTTP contract has them.

Views and their builds are the projector's own types; see projector.http.answers.
"""

from msgspec import Struct

from projector.http.answers import EventStoreStatus, PartitionStatus, ViewStatus


class InstanceStatus(Struct, frozen=True):
    instance: str
    alive: bool
    started_at: int
    partitions: int
    service: str


class ConsumerStatus(Struct, frozen=True):
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


class Status(Struct, frozen=True):
    event_store: EventStoreStatus
    instances: list[InstanceStatus]
    views: list[ViewStatus]
    consumers: list[ConsumerStatus]


class DeadLetterSummary(Struct, frozen=True):
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
    dead_letters: list[DeadLetterSummary]
    next: int | None


class DeadLetter(Struct, frozen=True):
    summary: DeadLetterSummary
    data: str
    metadata: str


class RetryOutcome(Struct, frozen=True):
    consumer: str
    replayed: int
    discarded: int
    remaining: int
    errors: list[str]

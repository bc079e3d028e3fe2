"""What the doctor looks at: what the two stores hold at one moment, and what moved while it watched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from infrastructure.checkpoints import CHECKPOINTS, Target
from infrastructure.view_registry import ViewRecord
from projector.folding.undo import COLLECTION as UNDO
from subscriptions.membership.leases import LEASES
from subscriptions.membership.member import Member, PartitionReport
from subscriptions.operating.lag import Lag
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.replaying.requests import ReplayRequest

KEPT_BY_TARGET = (CHECKPOINTS, LEASES, PARKED_EVENTS, UNDO)
"""The collections whose documents name the target that they are kept for."""

Role = Literal["live", "candidate", "previous", "consumer"]


@dataclass(frozen=True, slots=True)
class Known:
    """What the code that runs the doctor can do: names of views, of other consumers, and which of those are
    processes."""

    views: frozenset[str]
    consumers: frozenset[str]
    processes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """One thing that follows the log: a build of a view, or a consumer.

    `advanced` says that its position rose while it was watched. `able` says whether a living process knows its version,
    `owned` whether one has each of its partitions, `dead_owners` are those that have a lease and no heartbeat.
    `parked` counts its dead letters, `sequences` the keys and streams that they belong to. `other_log` says what the
    log lacks of what it was built from, None when it lacks nothing.
    """

    target: Target
    role: Role
    position: int | None
    lag: Lag
    advanced: bool
    able: bool
    owned: bool
    dead_owners: Sequence[str]
    reports: Sequence[PartitionReport]
    parked: int
    sequences: int
    first_error: str | None
    other_log: str | None


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """An instance of a process that needs somebody: its `failed_steps` wait for an operator, or its timer `overdue`
    should have fired at `due_at` (epoch milliseconds)."""

    process: str
    instance: str
    failed_steps: Sequence[str] = ()
    overdue: str = ""
    due_at: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """`end` is the position of the log's newest event. `orphans` are the targets for which something is stored though
    no record names them, with the collections where it is; `requests` are replays asked for and not withdrawn;
    `instances` are those of processes that are stuck, or whose timers are due and have not fired. `set_aside` counts
    the dead letters of each source of other systems' messages."""

    known: Known
    end: int | None
    views: Mapping[str, ViewRecord]
    consumers: Mapping[str, int]
    targets: Sequence[TargetFacts]
    alive: Mapping[str, Member]
    orphans: Mapping[str, Sequence[str]]
    requests: Sequence[ReplayRequest]
    now: int
    instances: Sequence[InstanceFacts] = ()
    set_aside: Mapping[str, int] = field(default_factory=dict)

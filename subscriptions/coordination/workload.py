"""The work to do: the port that tells the coordinator the targets, and what each kind of target needs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from infrastructure.checkpoints import Target
from subscriptions.assignment import Assignment
from subscriptions.consumer import Consumer
from subscriptions.membership.leases import LeaseState
from subscriptions.membership.member import Member, PauseAck
from subscriptions.store.retrying_store import RetryingStore


class Workload(Protocol):
    """The targets of one kind of consumer: views have builds, others have one target each.

    Every asynchronous method raises what the stores raise.
    """

    @property
    def names(self) -> Sequence[str]:
        """The consumers that this process knows."""

    @property
    def abilities(self) -> Sequence[str]:
        """What this process can run; see infrastructure.checkpoints.target.ability."""

    @property
    def low_latency(self) -> bool:
        """Whether others wait for what this process does next, so that it should refresh more often."""

    @property
    def paused_as(self) -> str:
        """The state of a partition whose target is paused, as PartitionReport has it."""

    async def prepare(self) -> None:
        """Checks that its records can be stored."""

    async def refresh(self, alive: Mapping[str, Member]) -> Sequence[Target]:
        """Every target there is now, the most urgent first; those that are missing are made."""

    def consumer(self, assignment: Assignment, store: RetryingStore) -> Consumer:
        """The consumer that does the work of an assignment."""

    def is_paused(self, target: Target) -> bool:
        """Whether nothing may be written to the target now."""

    def limit(self, target: Target) -> int | None:
        """The position after which nothing may be written to the target; None when there is no limit."""

    def pause_acks(self, runs: Callable[[str], bool]) -> Sequence[PauseAck]:
        """The targets that this process does not write, because their records ask for a pause; `runs` tells (by name)
        whether this process may still write one."""

    async def maintain(self, instance: str, leases: Mapping[str, LeaseState], alive: Mapping[str, Member]) -> None:
        """Takes all that this process (`instance`) is responsible for one step further."""

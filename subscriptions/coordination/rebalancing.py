"""The leases of this process: taken and given up so that all processes have equal parts of the work."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from infrastructure.checkpoints import PartitionRef, Target
from subscriptions import metrics
from subscriptions.membership.balance import balanced
from subscriptions.membership.heartbeat import Heartbeat
from subscriptions.membership.leases import NOBODY, Leases, LeaseState

log = structlog.get_logger(__name__)


class Rebalancer:
    """`states` are the leases as they were seen last. Every method raises what the store raises."""

    def __init__(self, leases: Leases, heartbeat: Heartbeat) -> None:
        self.states: Mapping[str, LeaseState] = {}
        self._leases = leases
        self._heartbeat = heartbeat
        self._owned: frozenset[str] = frozenset()

    async def prepare(self) -> None:
        """Checks that leases can be stored."""
        await self._leases.prepare()

    async def rebalance(
        self, targets: Sequence[Target], follows: Callable[[PartitionRef], bool]
    ) -> Sequence[PartitionRef]:
        """Takes the leases that the plan gives to this process, and gives up those that it gives to others, once this
        process no longer `follows` them; returns the partitions that it must work on."""
        me, alive = self._heartbeat.instance, self._heartbeat.alive
        refs = [ref for target in targets for ref in target.refs]
        self.states = await self._leases.load(refs)
        owners = {key: state.owner for key, state in self.states.items() if state.owner in alive}
        plan = balanced(refs, self._heartbeat.able, owners)
        self._note_lost([ref for ref in refs if ref.key in self._owned and owners.get(ref.key) != me])
        free = [ref for ref in refs if plan.get(ref.key) == me and ref.key not in owners]
        leaving = [ref for ref in refs if owners.get(ref.key) == me and plan.get(ref.key) != me and not follows(ref)]
        taken = await self._leases.pass_on(free, self.states, me)
        given_up = await self._leases.pass_on(leaving, self.states, NOBODY)
        _count("taken", [ref for ref in free if ref.key in taken])
        _count("given_up", [ref for ref in leaving if ref.key in given_up])
        if taken or given_up:
            self.states = await self._leases.load(refs)
        self._owned = frozenset(ref.key for ref in refs if self._is_mine(ref))
        for consumer in {target.consumer for target in targets}:
            owned = sum(ref.key in self._owned and ref.target.consumer == consumer for ref in refs)
            metrics.LEASES.labels(consumer).set(owned)
        return [ref for ref in refs if ref.key in self._owned and (plan.get(ref.key) == me or ref.key in taken)]

    async def give_up_all(self, targets: Sequence[Target]) -> None:
        """Gives up all leases, so that others need not wait until this process counts as dead."""
        refs = [ref for target in targets for ref in target.refs if ref.key in self._owned]
        await self._leases.pass_on(refs, self.states, NOBODY)

    def _is_mine(self, ref: PartitionRef) -> bool:
        state = self.states.get(ref.key)
        return state is not None and state.owner == self._heartbeat.instance

    def _note_lost(self, refs: Sequence[PartitionRef]) -> None:
        if refs:
            log.warning("leases lost to others", partitions=[ref.key for ref in refs])
            _count("lost", refs)


def _count(change: str, refs: Sequence[PartitionRef]) -> None:
    for ref in refs:
        metrics.LEASE_CHANGES.labels(ref.target.consumer, change).inc()

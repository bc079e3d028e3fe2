"""The leases of this process: taken and given up so that the work is in fair shares."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from infrastructure.checkpoints import PartitionRef, Target
from subscriptions import metrics
from subscriptions.membership.balance import balanced
from subscriptions.membership.heartbeat import Heartbeat
from subscriptions.membership.leases import NOBODY, Leases, LeaseState

log = structlog.get_logger(__name__)


class Sharing:
    """`states` are the leases as they were seen last. Every method raises what the store raises."""

    def __init__(self, leases: Leases, heart: Heartbeat) -> None:
        self.states: Mapping[str, LeaseState] = {}
        self._leases = leases
        self._heart = heart
        self._owned: frozenset[str] = frozenset()

    async def prepare(self) -> None:
        """Checks that leases can be stored."""
        await self._leases.prepare()

    async def share_out(
        self, targets: Sequence[Target], follows: Callable[[PartitionRef], bool]
    ) -> Sequence[PartitionRef]:
        """Takes the leases that fall to this process, and gives up those that fall to others, once it no longer
        `follows` them; answers the partitions that it is to work on."""
        me, alive = self._heart.instance, self._heart.alive
        refs = [ref for target in targets for ref in target.refs]
        self.states = await self._leases.load(refs)
        owners = {key: state.owner for key, state in self.states.items() if state.owner in alive}
        plan = balanced(refs, self._heart.able, owners)
        self._note_lost([ref for ref in refs if ref.key in self._owned and owners.get(ref.key) != me])
        free = [ref for ref in refs if plan.get(ref.key) == me and ref.key not in owners]
        leaving = [ref for ref in refs if owners.get(ref.key) == me and plan.get(ref.key) != me and not follows(ref)]
        taken = await self._leases.pass_on(free, self.states, me)
        given_up = await self._leases.pass_on(leaving, self.states, NOBODY)
        _count("taken", [ref for ref in free if ref.key in taken])
        _count("given up", [ref for ref in leaving if ref.key in given_up])
        if taken or given_up:
            self.states = await self._leases.load(refs)
        self._owned = frozenset(ref.key for ref in refs if self._is_mine(ref))
        for consumer in {target.consumer for target in targets}:
            held = sum(ref.key in self._owned and ref.target.consumer == consumer for ref in refs)
            metrics.LEASES.labels(consumer).set(held)
        return [ref for ref in refs if ref.key in self._owned and (plan.get(ref.key) == me or ref.key in taken)]

    async def give_up_all(self, targets: Sequence[Target]) -> None:
        """Gives up what this process has, so that others need not wait for its death."""
        refs = [ref for target in targets for ref in target.refs if ref.key in self._owned]
        await self._leases.pass_on(refs, self.states, NOBODY)

    def _is_mine(self, ref: PartitionRef) -> bool:
        state = self.states.get(ref.key)
        return state is not None and state.owner == self._heart.instance

    def _note_lost(self, refs: Sequence[PartitionRef]) -> None:
        if refs:
            log.warning("leases lost to others", partitions=[ref.key for ref in refs])
            _count("lost", refs)


def _count(change: str, refs: Sequence[PartitionRef]) -> None:
    for ref in refs:
        metrics.LEASE_CHANGES.labels(ref.target.consumer, change).inc()

"""The relays as plain consumers that can be paused."""

from collections.abc import Mapping, Sequence

from event_relay.destinations import Destination
from event_relay.metrics import PAUSE_STATE, show_destination
from event_relay.pauses import Pauses
from event_relay.relay import Delivery, Relay
from infrastructure.checkpoints import Target
from infrastructure.integration.publisher import Publisher
from subscriptions.assignment import Assignment
from subscriptions.consumer import Consumer
from subscriptions.coordination.plain_workload import PlainWorkload
from subscriptions.membership.member import Member
from subscriptions.ports import DocumentStore
from subscriptions.store.retrying_store import RetryingStore


class RelayWorkload(PlainWorkload):
    """One relay a destination, with what delivers to it. A replay is another target, with a relay of its own: what was
    acknowledged before it is not known to that one."""

    def __init__(
        self,
        store: DocumentStore,
        destinations: Sequence[tuple[Destination, Delivery]],
        publisher: Publisher,
        partitions: int,
        *,
        quiet: float = 10.0,
    ) -> None:
        self._publisher = publisher
        self._destinations = {one.consumer: (one, delivery) for one, delivery in destinations}
        relays = [Relay(one, publisher, delivery) for one, delivery in destinations]
        super().__init__(store, relays, partitions, quiet=quiet)
        for name in self.names:
            show_destination(name)
        self._pauses = Pauses(store)
        self._paused: frozenset[str] = frozenset()
        self._relays: dict[str, tuple[str, Relay]] = {}

    async def prepare(self) -> None:
        await super().prepare()
        await self._pauses.prepare()

    async def refresh(self, alive: Mapping[str, Member]) -> Sequence[Target]:
        self._paused = await self._pauses.of(self.names)
        for name in self.names:
            PAUSE_STATE.labels(name).set(name in self._paused)
        return await super().refresh(alive)

    def consumer(self, assignment: Assignment, store: RetryingStore) -> Consumer:
        name, target = assignment.target.consumer, assignment.target.name
        known = self._relays.get(name)
        if known is None or known[0] != target:
            destination, delivery = self._destinations[name]
            known = self._relays[name] = (target, Relay(destination, self._publisher, delivery))
        return known[1]

    def is_paused(self, target: Target) -> bool:
        return target.consumer in self._paused

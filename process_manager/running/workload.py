"""The processes as work: each is a plain consumer that is made anew for each assignment."""

from collections.abc import Sequence

from process_manager.running.consumer import AssignedConsumer, ProcessConsumer
from subscriptions.assignment import Assignment
from subscriptions.consumer import Consumer
from subscriptions.coordination.plain_workload import PlainWorkload
from subscriptions.ports import DocumentStore
from subscriptions.store.retrying_store import RetryingStore


class ProcessWorkload(PlainWorkload):
    """As PlainWorkload. `close` ends what is carried out beside the log."""

    def __init__(
        self, store: DocumentStore, processes: Sequence[ProcessConsumer], partitions: int, *, quiet: float = 10.0
    ) -> None:
        super().__init__(store, processes, partitions, quiet=quiet)
        self._processes = {one.name: one for one in processes}
        self._assigned: dict[str, AssignedConsumer] = {}

    def consumer(self, assignment: Assignment, store: RetryingStore) -> Consumer:
        name = assignment.target.consumer
        if name in self._assigned:
            self._assigned[name].stop()
        self._assigned[name] = self._processes[name].assigned(assignment, store)
        return self._assigned[name]

    async def close(self) -> None:
        """Ends all that is carried out."""
        for one in self._assigned.values():
            await one.close()

"""What Prometheus is shown of the instances of each process, whoever runs them: counted in the index, now and then."""

from collections.abc import Collection

from domain.model.process import Process
from infrastructure.clock import now_millis
from infrastructure.read_store import Comparison
from process_manager import metrics
from process_manager.instances.index import NEVER, NOW, InstanceIndex

# A timer fires a moment after it is due, and the index shows that a moment later; this is in milliseconds.
_A_MOMENT = 5_000


class InstanceGauges:
    """Of the processes given. What can't be counted is shown as it was counted last."""

    def __init__(self, processes: Collection[Process], index: InstanceIndex) -> None:
        self._processes = [process.name for process in processes]
        self._index = index
        for process in processes:
            metrics.show_process(process.name, process.outcomes)

    async def look(self) -> None:
        """Counts. Raises what the read store raises."""
        for process in self._processes:
            await self._look_at(process)

    async def _look_at(self, process: str) -> None:
        now = now_millis()
        for gauge, status in ((metrics.STUCK, "stuck"), (metrics.RUNNING, "running")):
            gauge.labels(process).set(await self._index.count(process, status))
            oldest = await self._index.oldest(process, status)
            age = 0.0 if oldest is None else max(0, now - oldest.started_at) / 1000
            metrics.OLDEST.labels(process, status).set(age)
        for state, due in (
            ("commands", NOW),
            ("timer", Comparison(above=NOW, below=NEVER)),
            ("timer_overdue", Comparison(above=NOW, below=now - _A_MOMENT)),
        ):
            metrics.WAITING.labels(process, state).set(await self._index.count_by_attention(process, due))

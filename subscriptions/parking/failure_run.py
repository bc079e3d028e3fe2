"""When failures are not the fault of single events: many different keys fail one after another."""

from msgspec import Struct

from domain.model.personal import without_personal
from subscriptions.errors import ConsumerBroken
from subscriptions.parking.parked_events import describe


class FailureRun:
    """Counts the distinct keys that fail one after another; at `limit` the fault is taken to be the consumer's own."""

    def __init__(self, consumer: str, limit: int) -> None:
        self._consumer = consumer
        self._limit = limit
        self._failed: set[str] = set()

    def failed(self, key: str, error: Exception, event: Struct) -> None:
        """The key failed with an event. Raises ConsumerBroken at the limit."""
        self._failed.add(key)
        if len(self._failed) >= self._limit:
            message = f"{self._consumer} failed for {self._limit} keys in a row, last for {key}"
            shown = without_personal(describe(error), event)
            # The error itself would tell, in a log, what is left out of its text.
            raise ConsumerBroken(f"{message}: {shown}") from (error if shown == describe(error) else None)

    def succeeded(self) -> None:
        """Ends the run."""
        if self._failed:
            self._failed.clear()

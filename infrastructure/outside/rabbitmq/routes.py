"""Which types an exchange takes to a queue: a queue that is missing is waited for, a type that nobody wants is not."""

from collections.abc import Callable

from infrastructure.outside.deliveries import EventRefused


class Routes:
    """A type that reaches no queue for `patience` seconds, in which another one does, is not waited for any longer:
    until it reaches one again, each of its events is refused at once."""

    def __init__(self, patience: float, clock: Callable[[], float]) -> None:
        self._patience = patience
        self._clock = clock
        self._failing_since: dict[str, float] = {}
        self._succeeded_at = float("-inf")

    def succeeded(self, cloud_type: str) -> None:
        """An event of the type reached a queue."""
        self._succeeded_at = self._clock()
        self._failing_since.pop(cloud_type, None)

    def failed(self, cloud_type: str) -> None:
        """An event of the type reached none. Raises EventRefused where it is not to be waited for."""
        now = self._clock()
        since = self._failing_since.setdefault(cloud_type, now)
        if now - since >= self._patience and self._succeeded_at >= since:
            raise EventRefused(f"no queue takes {cloud_type}, although others get through")

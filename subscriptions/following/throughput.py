"""How many events have gone through, and how fast."""

from time import monotonic

_HALF_LIFE = 5.0


class Throughput:
    """`total` counts events since the target began; `working_since` is when the work under way began, by the monotonic
    clock; the rate is a moving average over about the last ten seconds."""

    def __init__(self) -> None:
        self.total = 0
        self.working_since: float | None = None
        self._started = monotonic()
        self._at = self._started
        self._events = 0.0
        self._seconds = 0.0

    def begin(self) -> None:
        """Work on a batch begins; `count` ends it."""
        self.working_since = monotonic()

    def count(self, events: int) -> None:
        """So many events have gone through since the last call."""
        self.total += events
        self.working_since = None
        now = monotonic()
        passed, self._at = now - self._at, now
        fading = 0.5 ** (passed / _HALF_LIFE)
        self._events = self._events * fading + events
        self._seconds = self._seconds * fading + passed

    @property
    def per_second(self) -> float | None:
        """Events per second; None within the first moments."""
        return self._events / self._seconds if self._seconds > 0.05 else None

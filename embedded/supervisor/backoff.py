"""How long to wait before a service that died is started again."""

from dataclasses import dataclass, field
from random import Random


@dataclass(slots=True)
class Backoff:
    """Exponential delays in seconds with jitter, so that services that died together do not return as a herd.

    The n-th delay lies between half and the whole of min(cap, base * 2^n).
    """

    base: float = 0.1
    cap: float = 10.0
    random: Random = field(default_factory=Random)
    _attempt: int = 0

    def next_delay(self) -> float:
        """The delay before the next attempt; each call counts as one attempt."""
        # The exponent is bounded too: 2.0 ** 1024 overflows after a long night of restarts.
        ceiling = min(self.cap, self.base * 2.0 ** min(self._attempt, 32))
        self._attempt += 1
        return ceiling * self.random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start from the shortest delay again: the service has proved itself."""
        self._attempt = 0

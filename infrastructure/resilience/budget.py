"""A budget of retries: a token bucket that calls fill and retries empty, so that retries can't multiply load.

When a dependency fails as a whole, each of its callers would repeat each call; with three retries it would get four
times the load at the moment at which it can bear least. With a budget it gets a fifth more.
"""

from collections.abc import Callable
from time import monotonic


class RetryBudget:
    """Each call adds `ratio` of a token, each retry takes one; `per_second` tokens come by themselves, so that a caller
    that seldom calls may retry too. The bucket begins full, and holds `capacity` tokens.

    So in any span of time there are at most `capacity` + `ratio` x calls + `per_second` x seconds retries. `clock` is
    in seconds and never goes back.
    """

    def __init__(
        self,
        *,
        ratio: float = 0.2,
        capacity: float = 10.0,
        per_second: float = 0.5,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if ratio < 0 or capacity < 1 or per_second < 0:
            raise ValueError("ratio and tokens a second are at least 0, and the capacity is at least 1")
        self._ratio = ratio
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._tokens = capacity
        self._filled_at = clock()

    @property
    def tokens(self) -> float:
        """How many retries are possible now."""
        self._fill(0.0)
        return self._tokens

    def deposit(self) -> None:
        """A call begins."""
        self._fill(self._ratio)

    def withdraw(self) -> bool:
        """Takes a token for a retry; False when there is none, and nothing may be retried."""
        self._fill(0.0)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _fill(self, extra: float) -> None:
        now = self._clock()
        gained = extra + (now - self._filled_at) * self._per_second
        self._filled_at = now
        self._tokens = min(self._capacity, self._tokens + gained)

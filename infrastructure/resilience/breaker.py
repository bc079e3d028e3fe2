"""A circuit breaker: after failures in a row calls are refused at once, until probes, one at a time, succeed.

No I/O and no timers here: it is told how each call ended, and asked before each (docs/decisions/0016 says why it is
ours).
"""

from collections.abc import Callable
from time import monotonic
from typing import Literal

State = Literal["closed", "open", "half_open"]
"""closed: calls are let through. open: refused. half_open: refused, but for one call at a time as a probe."""


class CircuitOpen(Exception):
    """The call is refused and has not been made. `retry_after` is in seconds: the next one can be let through then, at
    the earliest."""

    def __init__(self, retry_after: float, cause: str) -> None:
        super().__init__(cause)
        self.retry_after = retry_after


class Permit:
    """One call that was let through; the first of its three methods to be called says how the call ended."""

    __slots__ = ("_breaker", "era", "is_probe", "settled", "successes")

    def __init__(self, breaker: "CircuitBreaker", era: int, successes: int, *, is_probe: bool) -> None:
        self._breaker = breaker
        self.era = era
        self.successes = successes
        self.is_probe = is_probe
        self.settled = False

    @property
    def is_current(self) -> bool:
        """Whether the breaker is still in the state in which it let the call through."""
        return self._breaker.era == self.era

    def succeeded(self) -> None:
        """The service answered, whatever the answer was."""
        self._breaker.settle(self, "succeeded")

    def failed(self, cause: str, retry_after: float = 0.0) -> None:
        """The service can't be reached or did not answer. It is left alone for `retry_after` seconds at least, should
        that open the breaker."""
        self._breaker.settle(self, "failed", cause, retry_after)

    def released(self) -> None:
        """The call was given up here (cancelled): that says nothing about the service."""
        self._breaker.settle(self, "released")


class CircuitBreaker:
    """Opens after `failure_threshold` failures in a row, lets a probe through `recovery_timeout` seconds later, and
    closes after `success_threshold` probes in a row have succeeded; one that fails opens it again.

    Calls overlap, so what counts as in a row is this: a failure counts only when no other call has succeeded since the
    failed one began, and what was let through before a change of state has no say after it. `clock` is in seconds and
    never goes back. `on_change` is called after every change of state.
    """

    def __init__(
        self,
        *,
        failure_threshold: int = 1,
        recovery_timeout: float = 1.0,
        success_threshold: int = 1,
        clock: Callable[[], float] = monotonic,
        on_change: Callable[[State], None] = lambda _state: None,
    ) -> None:
        if failure_threshold < 1 or success_threshold < 1 or recovery_timeout <= 0:
            raise ValueError("thresholds are at least 1, and the recovery timeout is above 0")
        self.state: State = "closed"
        self.cause = ""
        self._failure_threshold = failure_threshold
        self._recovery_timeout = recovery_timeout
        self._success_threshold = success_threshold
        self._clock = clock
        self._on_change = on_change
        self.era = 0
        self._successes = 0
        self._failures = 0
        self._probe_at = 0.0
        self._probing = False

    @property
    def retry_after(self) -> float:
        """In how many seconds a call can be let through at the earliest; 0 when that may be at any moment."""
        if self.state != "open":
            return 0.0
        return max(0.0, self._probe_at - self._clock())

    @property
    def refuses(self) -> bool:
        """Whether a call that came now would be refused."""
        return self.retry_after > 0 or (self.state == "half_open" and self._probing)

    def admit(self) -> Permit:
        """Lets a call through. Raises CircuitOpen."""
        if self.state == "open" and self.retry_after == 0:
            self._change("half_open")
        if self.state == "closed":
            return Permit(self, self.era, self._successes, is_probe=False)
        if self.state == "open" or self._probing:
            raise CircuitOpen(self.retry_after, self.cause)
        self._probing = True
        return Permit(self, self.era, self._successes, is_probe=True)

    def settle(
        self,
        permit: Permit,
        outcome: Literal["succeeded", "failed", "released"],
        cause: str = "",
        retry_after: float = 0.0,
    ) -> None:
        """For Permit: a call has ended."""
        if permit.settled:
            return
        permit.settled = True
        if permit.era != self.era:
            return
        self._probing = False
        if outcome == "succeeded":
            self._succeeded()
        elif outcome == "failed" and permit.successes == self._successes:
            self._failed(cause, retry_after)

    def _succeeded(self) -> None:
        self._successes += 1
        self._failures = 0
        if self.state == "half_open" and self._successes >= self._success_threshold:
            self._change("closed")

    def _failed(self, cause: str, retry_after: float) -> None:
        self._failures += 1
        if self.state == "half_open" or self._failures >= self._failure_threshold:
            self.cause = cause
            self._probe_at = self._clock() + max(self._recovery_timeout, retry_after)
            self._change("open")

    def _change(self, state: State) -> None:
        self.state = state
        self.era += 1
        self._successes = self._failures = 0
        self._probing = False
        self._on_change(state)

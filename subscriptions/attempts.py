"""What a consumer that calls the outside remembers of its events: which are done, and which keep failing.

A dependency that is away fails every event, and each must wait for it. An event that fails alone, while others succeed,
must not hold them up: which of both it is, the others show.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

from infrastructure.resilience import DependencyUnavailable


class Stuck(Exception):
    """One event gets no answer although others do: the fault is its own."""


class Attempts:
    """Of one consumer in one process, by whatever names an event: its position does while the log is the same one.

    An event that has failed for `patience` seconds, in which others have succeeded, is stuck. At most `remembered` that
    are done are remembered; `count` says how many were ever done. `clock` is in seconds and never goes back."""

    def __init__(self, *, patience: float, remembered: int = 20_000, clock: Callable[[], float] = monotonic) -> None:
        self._patience = patience
        self._remembered = remembered
        self.count = 0
        self._clock = clock
        self._failing_since: OrderedDict[Hashable, float] = OrderedDict()
        self._done: OrderedDict[Hashable, None] = OrderedDict()
        self._succeeded_at = float("-inf")

    def is_done(self, event: Hashable) -> bool:
        """Whether the event was done here before: a batch that failed comes again as a whole."""
        return event in self._done

    def done(self, event: Hashable, *, by_the_dependency: bool = True) -> None:
        """The event is done; where that took no dependency, it shows nothing of whether one is there."""
        if by_the_dependency:
            self._succeeded_at = self._clock()
        self.count += 1
        self._failing_since.pop(event, None)
        self._done[event] = None
        if len(self._done) > self._remembered:
            self._done.popitem(last=False)

    def failed(self, event: Hashable, error: DependencyUnavailable) -> None:
        """The event met a dependency that can't be used. Raises Stuck where that is the event's own fault."""
        now = self._clock()
        since = self._failing_since.setdefault(event, now)
        if self._succeeded_at > since and now - since >= self._patience:
            raise Stuck(f"no answer for {self._patience:g} s, while others got one: {error}") from error
        if len(self._failing_since) > self._remembered:
            self._failing_since.popitem(last=False)

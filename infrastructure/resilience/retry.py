"""Which faults are worth another attempt, when it is made, and how many there are."""

import math
import random
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity
from msgspec import Struct

from infrastructure.clock import utc_now
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.faults import TransientFault

T = TypeVar("T")

LONGEST_RETRY_AFTER = 300.0
"""Seconds: a dependency that asks for more is taken to ask for this much."""


class Delays(Struct, frozen=True):
    """How long to wait before a retry, in seconds: anything from 0 up to `first` before the first (full jitter), twice
    as much before each later one, but never more than `cap`. What the dependency asks for is added where it is at most
    `longest_wait`; for longer than that nobody waits within a call."""

    first: float = 0.1
    cap: float = 2.0
    longest_wait: float = 2.0

    def before_retry(self, number: int, fault: TransientFault) -> float:
        """Before the retry of that number, counted from 1."""
        jitter = random.uniform(0, min(self.cap, self.first * 2.0 ** min(number - 1, 60)))  # noqa: S311 - it spreads load
        return jitter + (fault.retry_after or 0.0)


async def again(
    attempt: Callable[[], Awaitable[T]],
    fault: TransientFault,
    *,
    may_repeat: Callable[[TransientFault], bool],
    retries: int,
    budget: RetryBudget,
    delays: Delays,
    on_denied: Callable[[], None] = lambda: None,
) -> T:
    """Repeats an attempt that ended with `fault`, until one succeeds, `retries` have been made, the budget is spent
    (`on_denied` is called then) or `may_repeat` says no to a fault. Raises the last fault, or what is none."""
    faults = [fault]

    async def run() -> T:
        # Its first run is the attempt that has been made, so that one rule holds for every attempt.
        if faults:
            raise faults.pop()
        return await attempt()

    def is_worth_it(error: BaseException) -> bool:
        if not isinstance(error, TransientFault) or (error.retry_after or 0.0) > delays.longest_wait:
            return False
        return may_repeat(error)

    def is_over(state: tenacity.RetryCallState) -> bool:
        if state.attempt_number > retries:
            return True
        if budget.withdraw():
            return False
        on_denied()
        return True

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        assert isinstance(error, TransientFault)
        return delays.before_retry(state.attempt_number, error)

    retrying = tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(is_worth_it), stop=is_over, wait=wait, reraise=True
    )
    return await retrying(run)


def retry_after_seconds(value: str | None) -> float | None:
    """What a Retry-After header says, in seconds, at most LONGEST_RETRY_AFTER; None where it says nothing that can be
    understood (RFC 9110, 10.2.3: a number of seconds, or a date)."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        seconds = (date - utc_now()).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, math.ceil(seconds)), LONGEST_RETRY_AFTER)

"""The one way to call a dependency: bulkhead -> circuit breaker -> retry -> timeout, in that order, and a fallback.

From the outside in: who gets no place is refused at once and can't weigh on anything. Who has one is refused at once
while the dependency is away. Only then are attempts made, each within the timeout; the breaker is told of the outcome
of all of them together, so that a moment's fault that a retry mends opens nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, perf_counter
from typing import TypeVar

import structlog

from infrastructure.exemplars import exemplar
from infrastructure.resilience import metrics
from infrastructure.resilience.breaker import CircuitBreaker, CircuitOpen, Permit, State
from infrastructure.resilience.budget import RetryBudget
from infrastructure.resilience.bulkhead import Bulkhead, BulkheadFull
from infrastructure.resilience.faults import DependencyUnavailable, TransientFault
from infrastructure.resilience.limits import Limits
from infrastructure.resilience.retry import Delays, again

log = structlog.get_logger(__name__)

T = TypeVar("T")

Fallback = Callable[[DependencyUnavailable], Awaitable[T]]
"""What a caller gets instead, where the dependency can't be used."""


class Policy:
    """Stands before every call to the dependency called `name`.

    Operations raise TransientFault for what is worth a retry; anything else that they raise is an answer, and passes
    through. `clock` is in seconds and never goes back.
    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        *,
        delays: Delays | None = None,
        budget: RetryBudget | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self.limits = limits
        self.bulkhead = Bulkhead(limits.concurrency, limits.queue)
        self.breaker = CircuitBreaker(
            failure_threshold=limits.failure_threshold,
            recovery_timeout=limits.recovery_timeout,
            success_threshold=limits.success_threshold,
            clock=clock,
            on_change=self._changed,
        )
        self.budget = budget or RetryBudget(clock=clock)
        self._delays = delays or Delays()
        self._retries = metrics.RETRIES.labels(name)
        self._denied = metrics.RETRIES_DENIED.labels(name)
        self._answered = metrics.OUTSIDE_SECONDS.labels(name, "answered")
        self._unavailable = metrics.OUTSIDE_SECONDS.labels(name, "unavailable")
        metrics.show_policy(name, self.bulkhead, self.breaker)

    async def call(
        self,
        operation: Callable[[], Awaitable[T]],
        *,
        idempotent: bool = True,
        bounded: bool = False,
        fallback: Fallback[T] | None = None,
    ) -> T:
        """What `operation` gives. One that is not `idempotent` is repeated only when it certainly was not sent; one
        that is `bounded` keeps the timeout itself, for each of the many things that it does.

        Raises what the operation raises, or DependencyUnavailable: when the call is refused, or failed in all its
        attempts. With a fallback, that is asked instead of raising DependencyUnavailable.
        """
        began = perf_counter()
        try:
            result = await self._with_a_place(operation, idempotent, None if bounded else self.limits.timeout)
        except DependencyUnavailable as error:
            self._unavailable.observe(perf_counter() - began, exemplar())
            if fallback is None:
                raise
            metrics.FALLBACKS.labels(self.name).inc()
            return await fallback(error)
        self._answered.observe(perf_counter() - began, exemplar())
        return result

    async def ready(self) -> None:
        """For /health/ready: raises DependencyUnavailable while calls are refused, without calling anything.

        Not any more once the next call may be let through to try: a service that gets no calls because it is not ready
        would never find out that it could be.
        """
        if self.breaker.refuses:
            raise self._refusal(self.breaker.cause, self.breaker.retry_after)

    async def _with_a_place(self, operation: Callable[[], Awaitable[T]], idempotent: bool, timeout: float | None) -> T:
        try:
            await self.bulkhead.enter()
        except BulkheadFull as full:
            metrics.BULKHEAD_REFUSED.labels(self.name).inc()
            raise self._refusal(str(full), self.breaker.retry_after) from None
        try:
            permit = self.breaker.admit()
        except CircuitOpen as refused:
            self.bulkhead.leave()
            metrics.CIRCUIT_REFUSED.labels(self.name).inc()
            raise self._refusal(str(refused), refused.retry_after) from None
        try:
            return await self._attempts(operation, idempotent, permit, timeout)
        finally:
            permit.released()  # without effect where it has been told how the call ended
            self.bulkhead.leave()

    async def _attempts(
        self, operation: Callable[[], Awaitable[T]], idempotent: bool, permit: Permit, timeout: float | None
    ) -> T:
        sent = False

        async def attempt() -> T:
            nonlocal sent
            try:
                return await self._attempt(operation, timeout)
            except TransientFault as fault:
                sent = sent or fault.sent
                raise

        async def repeat() -> T:
            self._retries.inc()
            return await attempt()

        def may_repeat(fault: TransientFault) -> bool:
            # A probe is one attempt; and once others have found the dependency away, this call need not find out too.
            return (idempotent or not sent) and permit.is_current and not permit.is_probe

        self.budget.deposit()
        try:
            try:
                result = await attempt()
            except TransientFault as fault:
                result = await again(
                    repeat,
                    fault,
                    may_repeat=may_repeat,
                    retries=self.limits.retries,
                    budget=self.budget,
                    delays=self._delays,
                    on_denied=self._denied.inc,
                )
        except TransientFault as fault:
            asked = fault.retry_after or 0.0
            if fault.away:
                permit.failed(str(fault), asked)
            else:
                permit.succeeded()
            seconds = max(asked, self.breaker.retry_after)
            raise DependencyUnavailable(self.name, str(fault), seconds, sent=sent, alone=not fault.away) from fault
        except Exception:
            permit.succeeded()  # an answer, whatever it was
            raise
        permit.succeeded()
        return result

    async def _attempt(self, operation: Callable[[], Awaitable[T]], timeout: float | None) -> T:
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                return await operation()
        except TimeoutError:
            if not limit.expired():
                raise
            raise TransientFault(f"no answer within {self.limits.timeout:g} s") from None
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            # A client that loses its connection may cancel who waits for it. To the caller that is no cancellation: it
            # would end quietly, and what it was to do would count as done.
            raise TransientFault("the call was given up by the client") from error

    def _refusal(self, cause: str, retry_after: float) -> DependencyUnavailable:
        return DependencyUnavailable(self.name, f"not asked: {cause}", retry_after, sent=False)

    def _changed(self, state: State) -> None:
        if state == "open":
            metrics.CIRCUIT_OPENED.labels(self.name).inc()
            log.warning(
                "the dependency is away: calls are refused",
                dependency=self.name,
                error=self.breaker.cause,
                retry_after=round(self.breaker.retry_after, 3),
            )
        elif state == "closed":
            log.info("the dependency answers again", dependency=self.name)
        else:
            log.info("the dependency is tried again, one call at a time", dependency=self.name)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0

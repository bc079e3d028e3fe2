"""Calls to one service, each within a bound; once it is silent or away, all are refused until a probe gets through.

Silence is noticed while calls wait, not by each call for itself: when nothing at all has come back for half of
`silence` seconds, the service is asked a cheap question; without an answer to that either, it is silent, and every call
under way fails at that moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import structlog

from infrastructure.resilience import metrics
from infrastructure.resilience.breaker import CircuitBreaker, CircuitOpen, State

log = structlog.get_logger(__name__)

T = TypeVar("T")

Probe = Callable[[], Awaitable[object]]
"""Asks the service something cheap; returns when it answers."""


class Unavailable(Protocol):
    """Makes the exception that callers get when the service can't be used; `retry_after` is in seconds."""

    def __call__(self, message: str, retry_after: float = ..., /) -> Exception: ...


class Guard:
    """Stands before every call to the service called `name`.

    `silence` is in seconds: how long nothing may come back while calls wait. `probe_interval` is in seconds, between
    two probes. `away` is the kind of exception by which a call says that the service can't be reached; any other is an
    answer. `on_open` is called once calls are refused; what it drops must fail the calls that use it.
    """

    def __init__(
        self,
        name: str,
        probe: Probe,
        *,
        silence: float,
        probe_interval: float,
        away: type[Exception],
        unavailable: Unavailable,
        on_open: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._probe = probe
        self._silence = silence
        self._away = away
        self._unavailable = unavailable
        self._on_open = on_open
        self._breaker = CircuitBreaker(recovery_timeout=probe_interval, on_change=self._changed)
        self._in_flight: dict[asyncio.Timeout, float] = {}
        self._heard_at = self._given_up_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._closed.set()
        self._over = False
        metrics.show_guard(name, self._breaker)

    def check(self) -> None:
        """Raises the exception for a service that can't be used, while calls are refused."""
        if self._breaker.state != "closed":
            metrics.CIRCUIT_REFUSED.labels(self.name).inc()
            message = f"not asked: {self._breaker.cause}; it is probed until it answers"
            raise self._unavailable(message, self._breaker.retry_after)

    @property
    def circuit(self) -> State:
        """The state of its breaker."""
        return self._breaker.state

    @property
    def unanswered(self) -> bool:
        """Whether a call was given up, here or by who made it, and nothing has come back since."""
        return self._given_up_at > self._heard_at

    async def until_closed(self, seconds: float) -> None:
        """Waits until calls are let through, for so many seconds at most; then as `check`."""
        if not self._closed.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._closed.wait()
            except TimeoutError:
                self.check()

    async def call(self, operation: Callable[[], Awaitable[T]], seconds: float) -> T:
        """What `operation` gives, within so many seconds. Raises what it raises, or the exception for a service that
        can't be used: at once while calls are refused; otherwise it is not known what came of the operation."""
        self.check()
        permit = self._breaker.admit()
        began = asyncio.get_running_loop().time()
        limit = asyncio.timeout_at(began + seconds)
        self._in_flight[limit] = began
        if self._watch is None:
            self._watch_from(began)
        try:
            try:
                async with limit:
                    result = await operation()
            finally:
                del self._in_flight[limit]
        except self._away as error:
            permit.failed(str(error))
            raise
        except TimeoutError:
            if not limit.expired():
                raise
            message = f"no answer within {seconds:g} s"
            self._given_up_at = asyncio.get_running_loop().time()
            permit.failed(message)
            if self._breaker.state != "closed":
                message = f"given up without an answer: {self._breaker.cause}"
            raise self._unavailable(message, self._breaker.retry_after) from None
        except Exception:
            self._heard()
            permit.succeeded()
            raise
        except BaseException:
            self._given_up_at = asyncio.get_running_loop().time()
            permit.released()
            raise
        self._heard()
        permit.succeeded()
        return result

    async def close(self) -> None:
        """Ends what runs in the background; nothing is probed any more."""
        self._over = True
        metrics.hide_circuit(self.name, self._breaker)
        if self._watch is not None:
            self._watch.cancel()
        tasks = [task for task in (self._asking, self._probing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _heard(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()

    def _watch_from(self, since: float) -> None:
        """Looks again once nothing may have come back for half of `silence`, counted from `since`."""
        self._watch = asyncio.get_running_loop().call_at(since + self._silence / 2, self._look)

    def _look(self) -> None:
        self._watch = None
        oldest = next(iter(self._in_flight.values()), None)
        if oldest is None or self._breaker.state != "closed" or self._asking is not None:
            return
        silent_since = max(oldest, self._heard_at)
        if silent_since + self._silence / 2 > asyncio.get_running_loop().time():
            self._watch_from(silent_since)
        else:
            self._asking = asyncio.create_task(self._ask(silent_since))

    async def _ask(self, silent_since: float) -> None:
        """Makes sure that the service answers anything at all."""
        permit = self._breaker.admit()
        try:
            async with asyncio.timeout_at(silent_since + self._silence):
                await self._probe()
        except TimeoutError:
            permit.failed(f"nothing has come back for {self._silence:g} s")
        except self._away:
            permit.released()  # it refuses connections: that is for those to judge who try again
        except Exception:
            self._heard()
            permit.succeeded()
        else:
            self._heard()
            permit.succeeded()
        finally:
            permit.released()
            self._asking = None
        if self._in_flight and self._watch is None and self._breaker.state == "closed":
            self._watch_from(asyncio.get_running_loop().time())

    def _changed(self, state: State) -> None:
        if state == "open":
            if self._closed.is_set():
                self._opened()
        elif state == "closed":
            self._closed.set()
            log.info("the dependency answers again", dependency=self.name)

    def _opened(self) -> None:
        self._closed.clear()
        metrics.CIRCUIT_OPENED.labels(self.name).inc()
        log.warning(
            "the dependency is away: calls are refused",
            dependency=self.name,
            error=self._breaker.cause,
            retry_after=round(self._breaker.retry_after, 3),
        )
        now = asyncio.get_running_loop().time()
        for limit in self._in_flight:
            if not limit.expired():
                limit.reschedule(now)
        self._on_open()
        if not self._over:
            self._probing = asyncio.create_task(self._probe_until_closed())

    async def _probe_until_closed(self) -> None:
        while self._breaker.state != "closed":
            await asyncio.sleep(self._breaker.retry_after)
            try:
                permit = self._breaker.admit()
            except CircuitOpen:  # timers may fire a little early
                continue
            outcome = "failed"
            try:
                async with asyncio.timeout(self._silence):
                    await self._probe()
            except (TimeoutError, self._away) as error:
                permit.failed(str(error) or f"no answer to a probe within {self._silence:g} s")
            except Exception:
                outcome = "answered"
                permit.succeeded()
            else:
                outcome = "answered"
                permit.succeeded()
            finally:
                permit.released()
            metrics.CIRCUIT_PROBES.labels(self.name, outcome).inc()

"""The policy: what stands before what, when something is repeated, and what it tells of itself."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from infrastructure.resilience import (
    Delays,
    DependencyUnavailable,
    Limits,
    Policy,
    RetryBudget,
    TransientFault,
    retry_after_seconds,
)

AT_ONCE = Delays(first=0.0, cap=0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Dependency:
    """Answers as it is told, one attempt after the other; then "answer" for ever."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self._outcomes: Iterator[Exception | str] = iter(outcomes)
        self.attempts = 0

    async def __call__(self) -> str:
        self.attempts += 1
        outcome = next(self._outcomes, "answer")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def policy(
    name: str = "test", *, budget: RetryBudget | None = None, clock: Clock | None = None, **limits: Any
) -> Policy:
    given = {"timeout": 60.0, "failure_threshold": 1, **limits}
    budget = budget or RetryBudget(capacity=1000)
    return Policy(name, Limits(**given), delays=AT_ONCE, budget=budget, clock=clock or Clock())


async def never() -> None:
    await asyncio.Event().wait()


def down() -> TransientFault:
    return TransientFault("connection refused")


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_moment_of_trouble_is_mended_by_a_retry_and_opens_nothing() -> None:
    asked, tested = Dependency(down(), down()), policy(retries=2)
    assert await tested.call(asked) == "answer"
    assert asked.attempts == 3
    assert tested.breaker.state == "closed"


async def test_what_goes_on_failing_is_told_once_to_the_breaker_and_then_refused_without_an_attempt() -> None:
    asked, clock = Dependency(*[down() for _ in range(8)]), Clock()
    tested = policy(retries=3, failure_threshold=2, recovery_timeout=5.0, clock=clock)
    for _ in range(2):
        with pytest.raises(DependencyUnavailable, match="test: connection refused") as failed:
            await tested.call(asked)
        assert failed.value.sent
    assert asked.attempts == 8
    for _ in range(1000):
        with pytest.raises(DependencyUnavailable, match="not asked: connection refused") as refused:
            await tested.call(asked)
        assert (refused.value.retry_after, refused.value.sent) == (5.0, False)
    assert asked.attempts == 8
    clock.now += 5.0
    assert await tested.call(asked) == "answer"


async def test_a_full_bulkhead_refuses_before_anything_else_is_asked_and_others_go_on_when_places_are_free() -> None:
    tested = policy(concurrency=2, queue=3)
    running = [asyncio.create_task(tested.call(never)) for _ in range(2)]
    await turns()
    asked = Dependency()
    waiting = [asyncio.create_task(tested.call(asked)) for _ in range(3)]
    await turns()
    for _ in range(1000):
        with pytest.raises(DependencyUnavailable, match="2 calls are under way and 3 wait") as refused:
            await tested.call(asked)
        assert not refused.value.sent
    assert asked.attempts == 0
    assert tested.breaker.state == "closed", "a full bulkhead says nothing about the dependency"
    running[0].cancel()
    assert await asyncio.gather(*waiting) == ["answer"] * 3
    running[1].cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert (tested.bulkhead.running, tested.bulkhead.waiting) == (0, 0)


async def test_who_waits_for_a_place_is_refused_once_the_breaker_opens() -> None:
    tested, asked, gate = policy(concurrency=1, queue=10), Dependency(), asyncio.Event()

    async def fails() -> None:
        await gate.wait()
        raise TransientFault("no route", sent=False)

    failing = asyncio.create_task(tested.call(fails, idempotent=False))
    await turns()
    waiting = [asyncio.create_task(tested.call(asked)) for _ in range(10)]
    await turns()
    gate.set()
    outcomes = await asyncio.gather(failing, *waiting, return_exceptions=True)
    assert {type(one) for one in outcomes} == {DependencyUnavailable}
    assert asked.attempts == 0


async def test_the_timeout_bounds_each_attempt_and_counts_as_away() -> None:
    attempts = 0

    async def hangs() -> None:
        nonlocal attempts
        attempts += 1
        await never()

    tested = policy(timeout=0.01, retries=2)
    with pytest.raises(DependencyUnavailable, match=r"no answer within 0\.01 s"):
        await tested.call(hangs)
    assert attempts == 3
    assert tested.breaker.state == "open"


async def test_a_timeout_of_the_operations_own_passes_through() -> None:
    async def times_out() -> None:
        raise TimeoutError("its own")

    tested = policy(retries=5)
    with pytest.raises(TimeoutError, match="its own"):
        await tested.call(times_out)
    assert tested.breaker.state == "closed"


async def test_an_answer_that_is_an_error_passes_through_once() -> None:
    asked, tested = Dependency(KeyError("no such thing")), policy(retries=5)
    with pytest.raises(KeyError):
        await tested.call(asked)
    assert (asked.attempts, tested.breaker.state) == (1, "closed")


async def test_what_is_not_idempotent_is_repeated_only_while_it_was_certainly_not_sent() -> None:
    unsent = TransientFault("refused", sent=False)
    asked, tested = Dependency(unsent, unsent, down()), policy(retries=5)
    with pytest.raises(DependencyUnavailable) as failed:
        await tested.call(asked, idempotent=False)
    assert asked.attempts == 3
    assert failed.value.sent, "the last attempt may have arrived"
    asked = Dependency(unsent)
    assert await policy(retries=5).call(asked, idempotent=False) == "answer"


async def test_retries_can_not_multiply_load() -> None:
    asked = Dependency(*[TransientFault("busy", away=False) for _ in range(10_000)])
    tested = policy(retries=3, budget=RetryBudget(ratio=0.2, capacity=10, per_second=0, clock=Clock()))
    for _ in range(1000):
        with pytest.raises(DependencyUnavailable):
            await tested.call(asked)
    assert 1200 <= asked.attempts <= 1000 + 0.2 * 1000 + 10


async def test_a_fault_of_a_dependency_that_answers_opens_nothing_and_is_told_apart() -> None:
    asked = Dependency(*[TransientFault("500", away=False) for _ in range(100)])
    tested = policy(retries=0)
    for _ in range(100):
        with pytest.raises(DependencyUnavailable) as failed:
            await tested.call(asked)
        assert failed.value.alone
    assert tested.breaker.state == "closed"


async def test_retry_after_is_waited_for_or_not_waited_for_at_all() -> None:
    slept: list[float] = []

    class Noted(Delays, frozen=True):
        def before_retry(self, number: int, fault: TransientFault) -> float:
            slept.append(super().before_retry(number, fault))
            return 0.0

    clock = Clock()
    limits = Limits(timeout=60.0, retries=5, failure_threshold=1, recovery_timeout=2.0)
    tested = Policy("test", limits, delays=Noted(first=0.5, cap=0.5, longest_wait=2.0), clock=clock)
    assert await tested.call(Dependency(TransientFault("429", 1.5), TransientFault("429", 2.0))) == "answer"
    assert 1.5 <= slept[0] <= 2.0
    assert 2.0 <= slept[1] <= 2.5
    asked = Dependency(TransientFault("429", 30.0))
    with pytest.raises(DependencyUnavailable) as failed:
        await tested.call(asked)
    assert (asked.attempts, failed.value.retry_after) == (1, 30.0)
    clock.now += 29.0
    with pytest.raises(DependencyUnavailable, match="not asked"):
        await tested.call(asked)
    clock.now += 1.0
    assert await tested.call(asked) == "answer"


async def test_one_probe_at_a_time_of_one_attempt_each() -> None:
    clock = Clock()
    tested = policy(retries=3, recovery_timeout=5.0, success_threshold=2, clock=clock)
    with pytest.raises(DependencyUnavailable):
        await tested.call(Dependency(*[down() for _ in range(4)]))
    clock.now += 5.0
    probe = asyncio.create_task(tested.call(never))
    await turns()
    asked = Dependency()
    refusals = await asyncio.gather(*(tested.call(asked) for _ in range(100)), return_exceptions=True)
    assert {type(one) for one in refusals} == {DependencyUnavailable}
    assert asked.attempts == 0
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    failing = Dependency(down())
    with pytest.raises(DependencyUnavailable):
        await tested.call(failing)
    assert failing.attempts == 1, "a probe is not repeated"
    clock.now += 5.0
    assert await tested.call(asked) == "answer"
    assert tested.breaker.state == "half_open"
    assert await tested.call(asked) == "answer"
    assert tested.breaker.state == "closed"


async def test_no_more_retries_once_others_have_found_it_away() -> None:
    tested = policy(retries=100)
    opened, attempts = asyncio.Event(), 0

    async def slow_to_fail() -> None:
        nonlocal attempts
        attempts += 1
        await opened.wait()
        raise down()

    slow = asyncio.create_task(tested.call(slow_to_fail))
    await turns()
    with pytest.raises(DependencyUnavailable):
        await tested.call(Dependency(down()), idempotent=False)
    opened.set()
    with pytest.raises(DependencyUnavailable):
        await slow
    assert attempts == 1


async def test_a_fallback_answers_for_what_can_not_be_used_and_for_nothing_else() -> None:
    async def fallback(error: DependencyUnavailable) -> str:
        return f"without {error.dependency}"

    tested = policy("maps", retries=0)
    assert await tested.call(Dependency(down()), fallback=fallback) == "without maps"
    assert await tested.call(Dependency(), fallback=fallback) == "without maps", "it is open"
    with pytest.raises(KeyError):
        await policy("maps").call(Dependency(KeyError("no")), fallback=fallback)


async def test_a_cancelled_call_gives_its_place_back_and_says_nothing() -> None:
    tested = policy(concurrency=3, queue=3)
    calls = [asyncio.create_task(tested.call(never)) for _ in range(6)]
    await turns()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (tested.bulkhead.running, tested.bulkhead.waiting, tested.breaker.state) == (0, 0, "closed")


async def test_its_state_is_shown_in_metrics_and_readiness() -> None:
    def shown(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"dependency": "shown", **labels})

    clock = Clock()
    tested = policy("shown", retries=1, concurrency=1, queue=0, clock=clock)
    assert shown("eventfold_circuit_state") == 0
    assert shown("eventfold_bulkhead_refused_total") == 0
    await tested.ready()
    running = asyncio.create_task(tested.call(never))
    await turns()
    assert shown("eventfold_bulkhead_calls", state="running") == 1
    with pytest.raises(DependencyUnavailable):
        await tested.call(Dependency())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(DependencyUnavailable):
        await tested.call(Dependency(down(), down()))
    with pytest.raises(DependencyUnavailable, match="not asked: connection refused"):
        await tested.ready()
    assert shown("eventfold_circuit_state") == 2
    assert shown("eventfold_circuit_opened_total") == 1
    assert shown("eventfold_bulkhead_refused_total") == 1
    assert shown("eventfold_retries_total") == 1
    clock.now += 5.0
    await tested.call(Dependency())
    await tested.ready()
    assert shown("eventfold_circuit_state") == 0
    assert shown("eventfold_outside_call_seconds_count", outcome="answered") == 1
    assert shown("eventfold_outside_call_seconds_count", outcome="unavailable") == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("9" * 5000, 300.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_understood_and_bounded(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


@given(st.text())
def test_no_retry_after_breaks_anything(header: str) -> None:
    seconds = retry_after_seconds(header)
    assert seconds is None or 0 <= seconds <= 300


@given(st.integers(1, 2000), st.floats(0, 10), st.floats(0, 10))
def test_delays_are_within_their_bounds(number: int, first: float, cap: float) -> None:
    waited = Delays(first=first, cap=cap).before_retry(number, down())
    assert 0 <= waited <= cap


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"concurrency": 0},
        {"queue": -1},
        {"retries": -1},
        {"failure_threshold": 0},
        {"recovery_timeout": 0},
    ],
)
def test_limits_that_can_not_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"at least|above"):
        Limits(**wrong)


async def test_a_client_that_cancels_who_waits_for_it_has_failed_and_the_caller_goes_on() -> None:
    attempts = 0

    async def lost() -> str:
        nonlocal attempts
        attempts += 1
        connection: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        connection.cancel()
        return await connection

    tested = policy(retries=1)
    with pytest.raises(DependencyUnavailable, match="given up by the client"):
        await tested.call(lost)
    assert attempts == 2


async def test_a_caller_that_is_cancelled_is_cancelled() -> None:
    tested = policy(retries=1)
    calling = asyncio.create_task(tested.call(never))
    await turns()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling

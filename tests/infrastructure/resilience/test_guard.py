"""Calls before a service that falls silent, is away, or only answers with errors."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from infrastructure.http.problems import unavailable
from infrastructure.resilience import Guard, GuardedPlaces
from tests.support.services import until


class Away(Exception):
    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(Exception):
    """The service's own answer."""


class Service:
    """Answers at once, or never while it is silent, or refuses connections while it is down."""

    def __init__(self) -> None:
        self.talks = asyncio.Event()
        self.talks.set()
        self.down = False
        self.calls = self.asked = self.dropped = 0

    async def call(self) -> str:
        self.calls += 1
        return await self._answer()

    async def ask(self) -> None:
        self.asked += 1
        await self._answer()

    async def _answer(self) -> str:
        if self.down:
            raise Away("connection refused")
        await self.talks.wait()
        return "answer"

    def drop(self) -> None:
        self.dropped += 1


@asynccontextmanager
async def guarded(silence: float = 0.2, probe_interval: float = 0.02):
    service = Service()
    guard = Guard(
        "test",
        service.ask,
        silence=silence,
        probe_interval=probe_interval,
        away=Away,
        unavailable=Away,
        on_open=service.drop,
    )
    try:
        yield service, guard
    finally:
        await guard.close()


async def test_silence_fails_all_that_wait_at_once_and_refuses_the_rest_until_a_probe_gets_through():
    async with guarded() as (service, guard):
        assert await guard.call(service.call, 60) == "answer"
        service.talks.clear()
        waiting = [asyncio.create_task(guard.call(service.call, 60)) for _ in range(50)]
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in failures} == {Away}
        assert {str(one) for one in failures} == {"given up without an answer: nothing has come back for 0.2 s"}
        assert service.dropped == 1
        for _ in range(1000):
            with pytest.raises(Away, match="not asked"):
                await guard.call(service.call, 60)
        assert service.calls == 51
        service.talks.set()
        await guard.until_closed(60)
        assert await guard.call(service.call, 60) == "answer"


async def test_one_slow_call_says_nothing_while_the_service_answers_others():
    async with guarded() as (service, guard):

        async def slow() -> None:
            await asyncio.Event().wait()

        with pytest.raises(Away, match=r"no answer within 0\.5 s"):
            await guard.call(slow, 0.5)
        assert service.asked >= 1, "it was asked whether it is there"
        assert await guard.call(service.call, 60) == "answer"
        assert service.dropped == 0


async def test_a_service_that_is_away_is_asked_again_without_any_call():
    async with guarded() as (service, guard):
        service.down = True
        with pytest.raises(Away, match="connection refused"):
            await guard.call(service.call, 60)
        with pytest.raises(Away, match="not asked: connection refused"):
            guard.check()
        service.down = False
        await guard.until_closed(60)
        guard.check()


async def test_an_error_that_the_service_answers_with_is_an_answer():
    async with guarded() as (service, guard):

        async def refused() -> None:
            raise Refused

        for _ in range(100):
            with pytest.raises(Refused):
                await guard.call(refused, 60)
        guard.check()
        assert service.dropped == 0


async def test_calls_that_are_cancelled_say_nothing():
    async with guarded(silence=60) as (service, guard):
        service.talks.clear()
        waiting = [asyncio.create_task(guard.call(service.call, 60)) for _ in range(100)]

        async def all_begun() -> bool:
            return service.calls == 100

        await until(all_begun, "the calls are under way")
        for task in waiting:
            task.cancel()
        assert {type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)} == {asyncio.CancelledError}
        guard.check()


async def test_there_is_one_probe_at_a_time_and_no_call_is_one():
    async with guarded(silence=60) as (service, guard):
        service.down = True
        with pytest.raises(Away):
            await guard.call(service.call, 60)
        service.down, service.asked = False, 0
        service.talks.clear()

        async def probed() -> bool:
            return service.asked > 0

        await until(probed, "a probe is under way")
        refusals = await asyncio.gather(*(guard.call(service.call, 60) for _ in range(100)), return_exceptions=True)
        assert {type(one) for one in refusals} == {Away}
        assert (service.calls, service.asked) == (1, 1)


async def test_waiting_for_it_is_bounded():
    async with guarded() as (service, guard):
        service.down = True
        with pytest.raises(Away):
            await guard.call(service.call, 60)
        with pytest.raises(Away, match="not asked"):
            await guard.until_closed(0.05)


async def test_it_is_told_when_the_next_probe_is_due():
    async with guarded(probe_interval=2.5) as (service, guard):
        service.down = True
        with pytest.raises(Away):
            await guard.call(service.call, 60)
        with pytest.raises(Away) as refused:
            guard.check()
        assert 0 < refused.value.retry_after <= 2.5
        # A client that comes back after so many whole seconds is not too early.
        assert unavailable("store", refused.value).headers["Retry-After"] in ("1", "2", "3")
        assert unavailable("store", Away("now", 2.1)).headers["Retry-After"] == "3"
        assert unavailable("store", Away("now")).headers["Retry-After"] == "1"


async def test_once_closed_it_probes_no_more():
    async with guarded() as (service, guard):
        await guard.close()
        service.down = True
        with pytest.raises(Away):
            await guard.call(service.call, 60)
        service.down = False
        with pytest.raises(Away, match="not asked"):
            await guard.until_closed(0.05)
        assert service.asked == 0


async def test_places_before_a_guard_are_bounded_and_who_waits_is_refused_when_it_opens():
    async with guarded() as (service, guard):
        places = GuardedPlaces(guard, 2, 3, Away)
        assert await places.call(service.call, 60) == "answer"
        service.talks.clear()
        waiting = [asyncio.create_task(places.call(service.call, 60)) for _ in range(5)]

        async def two_are_under_way() -> bool:
            return service.calls == 3

        await until(two_are_under_way, "two calls have a place")
        for _ in range(1000):
            with pytest.raises(Away, match="not asked: 2 calls are under way and 3 wait"):
                await places.call(service.call, 60)
        outcomes = [str(one) for one in await asyncio.gather(*waiting, return_exceptions=True)]
        silent = "nothing has come back for 0.2 s"
        assert outcomes[:2] == [f"given up without an answer: {silent}"] * 2
        assert {one.partition(";")[0] for one in outcomes[2:]} == {f"not asked: {silent}"}
        assert service.calls == 3
        service.talks.set()
        await guard.until_closed(60)
        assert await places.call(service.call, 60) == "answer"

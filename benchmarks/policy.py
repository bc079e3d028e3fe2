"""What a policy costs a call: beside the bare call, beside a bare timeout, and beside a call over HTTP.

The call itself does nothing (one turn of the event loop); each way is taken in turn, round after round, and the medians
of the rounds are compared. Then the time of a call that is refused, by the breaker and by a full bulkhead, and the work
of others while a dependency hangs: calls a second to one that answers, in the same process, with and without fifty
callers of another one that never does.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from time import perf_counter

import uvloop
from aiohttp import web

from infrastructure.outside.http_client import HttpClient
from infrastructure.resilience import (
    Delays,
    DependencyUnavailable,
    Guard,
    GuardedPlaces,
    Limits,
    Policy,
    TransientFault,
)

CALLS = 2_000
ROUNDS = 25
SECONDS = 2.0

Way = Callable[[], Awaitable[object]]


async def _nothing() -> None:
    await asyncio.sleep(0)


async def _down() -> None:
    raise TransientFault("connection refused")


async def _never() -> None:
    await asyncio.Event().wait()


async def _per_call(ways: dict[str, Way], calls: int = CALLS) -> dict[str, float]:
    """Microseconds a call of each way: the median of the rounds."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = perf_counter()
            for _ in range(calls):
                await way()
            taken[name].append((perf_counter() - began) / calls * 1e6)
    return {name: statistics.median(rounds) for name, rounds in taken.items()}


async def _with_timeout() -> None:
    async with asyncio.timeout(5.0):
        await _nothing()


async def _overhead() -> None:
    policy = Policy("bench", Limits())
    guard = Guard("bench-guard", _nothing, silence=60, probe_interval=1, away=OSError, unavailable=_unavailable)
    places = GuardedPlaces(guard, 256, 4096, _unavailable)
    ways: dict[str, Way] = {
        "bare": _nothing,
        "timeout": _with_timeout,
        "policy": lambda: policy.call(_nothing),
        "guard": lambda: guard.call(_nothing, 5.0),
        "places and guard": lambda: places.call(_nothing, 5.0),
    }
    found = await _per_call(ways)
    await guard.close()
    for name, microseconds in found.items():
        print(f"{name:>18}: {microseconds:6.1f} us a call, {microseconds / found['bare']:.1f} times the bare one")


def _unavailable(message: str, _retry_after: float = 0.0) -> Exception:
    return OSError(message)


async def _refused(policy: Policy) -> None:
    try:
        await policy.call(_nothing)
    except DependencyUnavailable:
        return
    raise AssertionError("it was not refused")


async def _refusals() -> None:
    opened = Policy("bench-open", Limits(retries=0, failure_threshold=1, recovery_timeout=3600))
    with suppress(DependencyUnavailable):
        await opened.call(_down)
    full = Policy("bench-full", Limits(concurrency=1, queue=0, timeout=3600))
    holding = asyncio.create_task(full.call(_never))
    await asyncio.sleep(0)
    found = await _per_call({"open": lambda: _refused(opened), "full": lambda: _refused(full)})
    holding.cancel()
    print(f"           refused: {found['open']:6.1f} us by an open breaker, {found['full']:.1f} us by a full bulkhead")


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/hang":
            await _never()
        return web.json_response({"ok": True})

    app = web.Application()
    app.router.add_get("/{what}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _others() -> None:
    async with _server() as url:
        well = HttpClient(url, Policy("bench-well", Limits()))
        dead = HttpClient(
            url, Policy("bench-dead", Limits(timeout=0.25, retries=2, concurrency=8, queue=16), delays=Delays())
        )

        async def ask_the_dead() -> None:
            while True:
                try:
                    await dead.request("GET", "/hang")
                except DependencyUnavailable as error:
                    await asyncio.sleep(max(0.05, error.retry_after))

        async def calls_in(seconds: float) -> list[float]:
            times, until = [], perf_counter() + seconds
            while (began := perf_counter()) < until:
                await well.request("GET", "/ok")
                times.append(perf_counter() - began)
            return times

        await calls_in(0.5)
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(3):
            alone += await calls_in(SECONDS)
            callers = [asyncio.create_task(ask_the_dead()) for _ in range(50)]
            await asyncio.sleep(0.3)
            beside += await calls_in(SECONDS)
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
        await well.close()
        await dead.close()
    rate = len(beside) / len(alone)
    p99 = statistics.quantiles(beside, n=100)[98] / statistics.quantiles(alone, n=100)[98]
    print(f"  beside a dead one: {rate:.2f} times the calls a second of one alone, p99 {p99:.2f} times")
    one = statistics.median(alone) * 1e6
    print(f"     a call by HTTP: {one:.0f} us with the policy, on the same machine")


async def run() -> None:
    await _overhead()
    await _refusals()
    await _others()


if __name__ == "__main__":
    uvloop.run(run())

"""Liveness and readiness: readiness asks all dependencies at once, each with its own timeout."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal

from msgspec import Struct

from infrastructure.resilience import Policy, State

Probe = Callable[[], Awaitable[None]]
"""Returns when the dependency answers, raises when it does not."""

TIMEOUT: Final = 2.0
_MAX_DETAIL = 300
_WORST_FIRST: tuple[State, ...] = ("open", "half_open", "closed")


@dataclass(frozen=True, slots=True)
class Dependency:
    """What a service depends on. Without one that is `required` it can't do its work, so it is not ready; without
    another it does the rest, and is only degraded. `circuit` gives the state of the breaker before it, if one is."""

    probe: Probe
    circuit: Callable[[], State] | None = None
    required: bool = True


class Liveness(Struct, frozen=True):
    """The process serves. `uptime_seconds` since it was put together."""

    status: Literal["alive"]
    version: str
    uptime_seconds: float


class DependencyHealth(Struct, frozen=True):
    """`status`: ok; degraded (it can't be used, or is being tried again, and the service is ready all the same); down
    (the service is not ready). `latency_seconds` is what the answer took; `detail` says what is wrong."""

    status: Literal["ok", "degraded", "down"]
    required: bool
    latency_seconds: float
    breaker: State | None
    detail: str


class Readiness(Struct, frozen=True):
    """`status`: ready; degraded (something that others can do without is away); unready, which is 503."""

    status: Literal["ready", "degraded", "unready"]
    ready: bool
    version: str
    uptime_seconds: float
    dependencies: dict[str, DependencyHealth]


class Health:
    """Of one service. `redact` takes secrets out of what is said about dependencies, which anybody may read."""

    def __init__(self, dependencies: Mapping[str, Dependency], version: str, redact: Callable[[str], str]) -> None:
        self._dependencies = dependencies
        self._version = version
        self._redact = redact
        self._began = monotonic()

    def live(self) -> Liveness:
        """Asks nobody."""
        return Liveness("alive", self._version, self._uptime())

    async def ready(self, *, timeout: float = TIMEOUT) -> Readiness:
        """Asks all dependencies in parallel; one that does not answer within `timeout` seconds counts as failed."""
        asked = await asyncio.gather(*(self._ask(one, timeout) for one in self._dependencies.values()))
        found = dict(zip(self._dependencies, asked, strict=True))
        statuses = {one.status for one in asked}
        ready = "down" not in statuses
        status: Literal["ready", "degraded", "unready"] = "ready" if statuses <= {"ok"} else "degraded"
        return Readiness(status if ready else "unready", ready, self._version, self._uptime(), found)

    def _uptime(self) -> float:
        return round(monotonic() - self._began, 3)

    async def _ask(self, dependency: Dependency, timeout: float) -> DependencyHealth:
        began, detail = monotonic(), ""
        try:
            async with asyncio.timeout(timeout):
                await dependency.probe()
        except TimeoutError:
            detail = f"no answer within {timeout:g} s"
        except Exception as error:
            detail = self._redact(f"{type(error).__name__}: {error}")[:_MAX_DETAIL]
        took = round(monotonic() - began, 6)
        circuit = None if dependency.circuit is None else dependency.circuit()
        status: Literal["ok", "degraded", "down"] = "ok"
        if detail:
            status = "down" if dependency.required else "degraded"
        elif circuit not in (None, "closed"):
            status, detail = "degraded", "it was away, and is tried again with the next call"
        return DependencyHealth(status, dependency.required, took, circuit, detail)


def outside(policies: Iterable[Policy], *, required: bool = False) -> dict[str, Dependency]:
    """What is called under these policies, by name. Nobody is called: what calls have found out is told."""
    named: dict[str, list[Policy]] = {}
    for policy in policies:
        named.setdefault(policy.name, []).append(policy)
    return {name: _of_policies(group, required=required) for name, group in named.items()}


def _of_policies(policies: list[Policy], *, required: bool) -> Dependency:
    async def probe() -> None:
        for policy in policies:
            await policy.ready()

    def circuit() -> State:
        states = {policy.breaker.state for policy in policies}
        return next(state for state in _WORST_FIRST if state in states)

    return Dependency(probe, circuit, required)

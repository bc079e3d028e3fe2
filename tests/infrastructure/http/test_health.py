"""Health: all dependencies at once, each within its time; what makes a service unready, and what only degrades it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from litestar.testing import AsyncTestClient

from infrastructure.http.health import Dependency, Health, outside
from infrastructure.http.service import create_app
from infrastructure.resilience import DependencyUnavailable, Limits, Policy, TransientFault
from infrastructure.settings import Settings
from infrastructure.version import installed_version


async def well() -> None:
    pass


async def ill() -> None:
    raise ConnectionError("nobody is there")


async def silent() -> None:
    await asyncio.Event().wait()


def health(**dependencies: Dependency) -> Health:
    return Health(dependencies, "1.2.3", lambda text: text)


def policy(name: str, **limits: Any) -> Policy:
    return Policy(name, Limits(failure_threshold=1, retries=0, **{"recovery_timeout": 60.0, **limits}))


async def fail(called: Policy) -> None:
    async def down() -> None:
        raise TransientFault("it is down")

    with pytest.raises(DependencyUnavailable):
        await called.call(down)


@pytest.mark.parametrize(
    ("needed", "helpful", "status", "statuses"),
    [
        (well, well, "ready", ("ok", "ok")),
        (well, ill, "degraded", ("ok", "degraded")),
        (ill, well, "unready", ("down", "ok")),
        (ill, ill, "unready", ("down", "degraded")),
        (silent, well, "unready", ("down", "ok")),
        (well, silent, "degraded", ("ok", "degraded")),
    ],
)
async def test_what_a_dependency_makes_of_the_service(
    needed: Any, helpful: Any, status: str, statuses: tuple[str, str]
) -> None:
    found = await health(needed=Dependency(needed), helpful=Dependency(helpful, required=False)).ready(timeout=0.01)
    assert (found.status, found.ready) == (status, status != "unready")
    assert tuple(one.status for one in found.dependencies.values()) == statuses
    for name, one in found.dependencies.items():
        assert (one.detail == "") == (one.status == "ok")
        assert one.required == (name == "needed")
        assert one.latency_seconds >= 0


async def test_they_are_asked_side_by_side() -> None:
    """Each waits for all the others: one after the other, they would never answer."""
    there = asyncio.Barrier(5)

    async def together() -> None:
        await there.wait()

    found = await health(**{f"d{number}": Dependency(together) for number in range(5)}).ready(timeout=60)
    assert found.status == "ready"


async def test_the_breaker_is_shown_and_what_may_be_tried_again_is_no_reason_to_be_unready() -> None:
    called = policy("provider", recovery_timeout=0.01)
    needed = health(**outside([called], required=True))
    assert (await needed.ready()).dependencies["provider"].breaker == "closed"
    await fail(called)
    async with asyncio.timeout(10):
        while (found := await needed.ready()).status == "unready":
            assert "it is down" in found.dependencies["provider"].detail
    # Whoever routes by readiness sends calls again: without any, the breaker could never close.
    assert (found.status, found.dependencies["provider"].breaker) == ("degraded", "open")
    await called.call(well)
    assert (await needed.ready()).status == "ready"


async def test_what_is_outside_degrades_only_and_several_policies_of_a_name_are_one() -> None:
    first, second = policy("commands"), policy("commands")
    found = await (both := health(**outside([first, second]))).ready()
    assert found.status == "ready"
    await fail(second)
    found = await both.ready()
    assert (found.status, found.ready) == ("degraded", True)
    assert found.dependencies["commands"].breaker == "open"


async def answer(dependencies: Mapping[str, Dependency], path: str, **settings: Any) -> tuple[int, Any]:
    app = create_app("Lamps", [], dependencies, Settings.of(auth="off", **settings))
    async with AsyncTestClient(app) as client:
        response = await client.get(path)
        return response.status_code, response.json()


async def test_over_http() -> None:
    status, live = await answer({"store": Dependency(ill)}, "/health/live")
    assert (status, live["status"], live["version"]) == (200, "alive", installed_version())
    assert live["uptime_seconds"] >= 0
    status, ready = await answer({"store": Dependency(well, lambda: "closed")}, "/health/ready")
    assert (status, ready["status"], ready["ready"], ready["version"]) == (200, "ready", True, installed_version())
    assert ready["dependencies"]["store"].items() >= {"status": "ok", "breaker": "closed", "required": True}.items()
    status, ready = await answer({"store": Dependency(ill)}, "/health/ready")
    assert (status, ready["status"]) == (503, "unready")
    status, ready = await answer({"store": Dependency(ill, required=False)}, "/health/ready")
    assert (status, ready["status"]) == (200, "degraded")


async def test_no_secret_is_told() -> None:
    async def leaky() -> None:
        raise ConnectionError("can't reach mongodb://a:canary-mongo@b/; key canary-payments-key")

    status, ready = await answer({"store": Dependency(leaky)}, "/health/ready", payments_key="canary-payments-key")
    assert status == 503
    assert "canary" not in str(ready)

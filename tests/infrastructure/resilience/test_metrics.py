"""What Prometheus is shown of a dependency that several services of one process call, each under its own policy."""

import pytest
from prometheus_client import REGISTRY

from infrastructure.resilience import DependencyUnavailable, Limits, Policy, TransientFault
from infrastructure.resilience.guard import Guard


def state(name: str) -> float | None:
    return REGISTRY.get_sample_value("eventfold_circuit_state", {"dependency": name})


def running(name: str) -> float | None:
    return REGISTRY.get_sample_value("eventfold_bulkhead_calls", {"dependency": name, "state": "running"})


class Away(Exception):
    """It can't be reached."""


async def away() -> None:
    raise Away


async def no_answer() -> None:
    raise TransientFault("no answer")


async def test_the_worst_circuit_is_shown_and_all_places_together():
    limits = Limits(retries=0, failure_threshold=1, recovery_timeout=60)
    first, second = Policy("shared", limits), Policy("shared", limits)
    assert state("shared") == 0
    with pytest.raises(DependencyUnavailable):
        await first.call(no_answer)
    assert state("shared") == 2

    async def look() -> float | None:
        return running("shared")

    assert await second.call(lambda: second.call(look)) == 2
    assert (state("shared"), running("shared")) == (2, 0)


async def test_a_guard_that_is_closed_is_shown_no_longer():
    def guard() -> Guard:
        return Guard("shared store", away, silence=5, probe_interval=60, away=Away, unavailable=DependencyUnavailable)

    first, second = guard(), guard()
    with pytest.raises(Away):
        await first.call(away, 5)
    assert (state("shared store"), first.circuit, second.circuit) == (2, "open", "closed")
    await first.close()
    assert state("shared store") == 0
    await second.close()

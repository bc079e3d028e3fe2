"""The circuit breaker beside a model of it: any order of calls, ends of calls and passing time."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from infrastructure.resilience import CircuitBreaker, CircuitOpen, Permit


class Breaker(RuleBasedStateMachine):
    """The model keeps every call that was let through, and says from the whole history what must hold."""

    @initialize(failures=st.integers(1, 3), successes=st.integers(1, 3), timeout=st.sampled_from([1.0, 2.5]))
    def begin(self, failures: int, successes: int, timeout: float) -> None:
        self.now = 100.0
        self.limits = failures, successes, timeout
        self.changes: list[str] = []
        self.breaker = CircuitBreaker(
            failure_threshold=failures,
            recovery_timeout=timeout,
            success_threshold=successes,
            clock=lambda: self.now,
            on_change=self.changes.append,
        )
        self.state, self.opened_at = "closed", 0.0
        # Under way: the permit, and how many had succeeded in this state when it began. Those of earlier states have
        # no say.
        self.under_way: list[tuple[Permit, int]] = []
        self.stale: list[Permit] = []
        self.succeeded = self.failed = 0

    def _enter(self, state: str) -> None:
        self.state = state
        self.stale += [permit for permit, _ in self.under_way]
        self.under_way = []
        self.succeeded = self.failed = 0

    @rule()
    def ask(self) -> None:
        due = self.now >= self.opened_at + self.limits[2]
        if self.state == "open" and due:
            self._enter("half_open")
        if self.state == "closed" or (self.state == "half_open" and not self.under_way):
            self.under_way.append((self.breaker.admit(), self.succeeded))
        else:
            with pytest.raises(CircuitOpen) as refused:
                self.breaker.admit()
            assert 0 <= refused.value.retry_after <= self.limits[2]

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "released"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        permit, succeeded_before = self.under_way.pop(index)
        if outcome == "succeeded":
            permit.succeeded()
            self.succeeded, self.failed = self.succeeded + 1, 0
            if self.state == "half_open" and self.succeeded == self.limits[1]:
                self._enter("closed")
        elif outcome == "failed":
            permit.failed("why")
            if succeeded_before == self.succeeded:
                self.failed += 1
                if self.state == "half_open" or self.failed == self.limits[0]:
                    self._enter("open")
                    self.opened_at = self.now
        else:
            permit.released()
        permit.failed("a call ends once")

    @precondition(lambda self: self.stale)
    @rule(outcome=st.sampled_from(["succeeded", "failed", "released"]))
    def end_late(self, outcome: str) -> None:
        permit = self.stale.pop()
        if outcome == "succeeded":
            permit.succeeded()
        elif outcome == "failed":
            permit.failed("late")
        else:
            permit.released()

    @rule(seconds=st.sampled_from([0.25, 1.0, 3.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "breaker"):
            return
        assert self.breaker.state == self.state
        assert all(one != two for one, two in zip(self.changes, self.changes[1:], strict=False))
        if self.state == "open":
            assert self.breaker.retry_after == max(0.0, self.opened_at + self.limits[2] - self.now)
        else:
            assert self.breaker.retry_after == 0


TestBreaker = Breaker.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(
    "wrong", [{"failure_threshold": 0}, {"success_threshold": 0}, {"recovery_timeout": 0}, {"recovery_timeout": -1}]
)
def test_thresholds_that_cannot_be(wrong):
    with pytest.raises(ValueError, match="thresholds"):
        CircuitBreaker(**wrong)


async def test_retry_after_is_when_the_next_call_is_let_through():
    breaker = CircuitBreaker(recovery_timeout=0.02)
    breaker.admit().failed("away")
    with pytest.raises(CircuitOpen, match="away") as refused:
        breaker.admit()
    await asyncio.sleep(refused.value.retry_after)
    breaker.admit().succeeded()
    assert breaker.state == "closed"

"""The retry budget beside a model of it, and the bound that it promises for any span of time."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from infrastructure.resilience import RetryBudget


class Budget(RuleBasedStateMachine):
    """The model keeps the time of every call and retry; the bound must hold for every span that ends now."""

    @initialize(
        ratio=st.sampled_from([0.0, 0.2, 1.0]),
        capacity=st.sampled_from([1.0, 3.0, 10.0]),
        per_second=st.sampled_from([0.0, 0.5]),
    )
    def begin(self, ratio: float, capacity: float, per_second: float) -> None:
        self.now = 50.0
        self.given = ratio, capacity, per_second
        self.budget = RetryBudget(ratio=ratio, capacity=capacity, per_second=per_second, clock=lambda: self.now)
        self.tokens = capacity
        self.happened: list[tuple[float, str]] = []

    def _add(self, tokens: float) -> None:
        self.tokens = min(self.given[1], self.tokens + tokens)

    @rule(times=st.integers(1, 20))
    def call(self, times: int) -> None:
        for _ in range(times):
            self.budget.deposit()
            self._add(self.given[0])
            self.happened.append((self.now, "call"))

    @rule()
    def retry(self) -> None:
        granted = self.budget.withdraw()
        if abs(self.tokens - 1.0) > 1e-6:  # where sums of fractions may differ by a rounding, either is right
            assert granted == (self.tokens > 1.0)
        if granted:
            self.tokens -= 1.0
            self.happened.append((self.now, "retry"))

    @rule(seconds=st.sampled_from([0.25, 1.0, 30.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self._add(seconds * self.given[2])

    @invariant()
    def retries_are_bounded_in_every_span(self) -> None:
        if not hasattr(self, "budget"):
            return
        assert self.budget.tokens == pytest.approx(self.tokens, abs=1e-6)
        ratio, capacity, per_second = self.given
        retries = calls = 0
        for at, what in reversed(self.happened):
            retries += what == "retry"
            calls += what == "call"
            assert retries <= capacity + ratio * calls + per_second * (self.now - at) + 1e-6


TestBudget = Budget.TestCase
TestBudget.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("wrong", [{"ratio": -1}, {"capacity": 0.5}, {"per_second": -1}])
def test_a_budget_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least"):
        RetryBudget(**wrong)

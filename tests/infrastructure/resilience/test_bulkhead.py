"""The bulkhead beside a model of it: any order of calls that come, end, or are given up while they wait."""

import asyncio
from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from infrastructure.resilience import Bulkhead, BulkheadFull


class Places(RuleBasedStateMachine):
    """The model: who has a place, and who waits for one, in order. Some steps let the loop turn, others do not, so that
    a call is also given up at the very moment at which it gets its place."""

    @initialize(concurrency=st.integers(1, 3), queue=st.integers(0, 3))
    def begin(self, concurrency: int, queue: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.bulkhead = Bulkhead(concurrency, queue)
        self.running: list[asyncio.Task[None]] = []
        self.waiting: deque[asyncio.Task[None]] = deque()
        self.given_up: list[asyncio.Task[None]] = []

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for task in (*self.waiting, *self.given_up):
                task.cancel()
            self.turn()
            self.loop.close()

    def turn(self) -> None:
        """Lets everything that can go on go on."""
        for _ in range(4):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    @rule()
    def come(self) -> None:
        self.turn()
        task = self.loop.create_task(self.bulkhead.enter())
        self.turn()
        if len(self.running) < self.bulkhead.concurrency:
            assert task.result() is None
            self.running.append(task)
        elif len(self.waiting) < self.bulkhead.queue:
            assert not task.done()
            self.waiting.append(task)
        else:
            with pytest.raises(BulkheadFull, match=f"{self.bulkhead.concurrency} calls are under way"):
                task.result()

    @precondition(lambda self: self.running)
    @rule(at_once=st.booleans())
    def end(self, at_once: bool) -> None:
        self.running.pop()
        self.bulkhead.leave()
        if self.waiting:
            self.running.append(self.waiting.popleft())
        if at_once:
            self.turn()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), at_once=st.booleans())
    def give_up_waiting(self, data: st.DataObject, at_once: bool) -> None:
        index = data.draw(st.integers(0, len(self.waiting) - 1))
        task = self.waiting[index]
        del self.waiting[index]
        task.cancel()
        self.given_up.append(task)
        if at_once:
            self.turn()

    @precondition(lambda self: any(not task.done() for task in self.running))
    @rule()
    def give_up_with_the_place_just_given(self) -> None:
        task = next(task for task in self.running if not task.done())
        self.running.remove(task)
        task.cancel()
        self.given_up.append(task)
        self.turn()
        if self.waiting:
            self.running.append(self.waiting.popleft())

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "bulkhead"):
            return
        assert self.bulkhead.running == len(self.running)
        assert self.bulkhead.running <= self.bulkhead.concurrency
        assert all(not task.done() for task in self.waiting)
        assert len(self.waiting) <= self.bulkhead.waiting <= self.bulkhead.queue
        if self.waiting:
            assert len(self.running) == self.bulkhead.concurrency, "nobody waits while there is a place"


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(("concurrency", "queue"), [(0, 1), (1, -1)])
def test_a_bulkhead_that_cannot_be(concurrency: int, queue: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        Bulkhead(concurrency, queue)

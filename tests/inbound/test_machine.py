"""Whatever is sent again, fails or ends between two steps, and in whichever order keys come: each message has its
effect once, those of a key in order, and what is set aside is done in order once it is retried."""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from infrastructure.inbound.messages import IncomingMessage
from infrastructure.read_store import ReadStoreUnavailable
from infrastructure.resilience import DependencyUnavailable
from tests.inbound.world import World, delivery

KEYS = ("tea", "mug")


class Crash(BaseException):
    """The process ends."""


class Inbound(RuleBasedStateMachine):
    """A broker in memory: a queue a key, from which a message goes once it is acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.loop = asyncio.new_event_loop()
        self.queues: dict[str, list[IncomingMessage]] = {key: [] for key in KEYS}
        self.sent: dict[str, list[int]] = {key: [] for key in KEYS}
        self.bad: set[str] = set()
        self.number = 0
        self.countdown = -1
        self.fault: type[BaseException] = Crash
        self.world.store.before = self.world.store.after = self._step
        self.world.commands.before = self.world.commands.after = self._command
        self.world.written.before = self.world.written.after = self._write

    @rule(key=st.sampled_from(KEYS), is_bad=st.integers(0, 3), twice=st.booleans())
    def send(self, key: str, is_bad: int, twice: bool) -> None:
        self.number += 1
        if is_bad == 0:
            self.bad.add(f"m-{self.number}")
            one = delivery(f"m-{self.number}", "no id!", self.number, key=key)
        else:
            self.sent[key].append(self.number)
            one = delivery(f"m-{self.number}", key, self.number)
        self.queues[key] += [one, one] if twice else [one]

    @rule(key=st.sampled_from(KEYS), index=st.integers(0, 5))
    def send_again(self, key: str, index: int) -> None:
        """What was acknowledged already, or waits."""
        if index < len(self.sent[key]):
            number = self.sent[key][index]
            self.queues[key].append(delivery(f"m-{number}", key, number))

    @rule(key=st.sampled_from(KEYS), steps=st.integers(0, 25), fault=st.sampled_from([Crash, ReadStoreUnavailable]))
    def take(self, key: str, steps: int, fault: type[BaseException]) -> None:
        """The first message of a key, with a fault at some step; then what follows from that."""
        self.countdown, self.fault = steps, fault
        if self.queues[key]:
            self._run(self._take(key))
        self.countdown = -1

    @rule(key=st.sampled_from(KEYS), steps=st.integers(-1, 25))
    def retry(self, key: str, steps: int) -> None:
        self.countdown, self.fault = steps, Crash
        self._run(self._retry(key))
        self.countdown = -1

    @rule(key=st.sampled_from(KEYS))
    def discard_the_first(self, key: str) -> None:
        self._run(self._discard(key))

    @invariant()
    def each_counts_once_in_order(self) -> None:
        for key in KEYS:
            come = self._come(key)
            assert come == self.sent[key][: len(come)], "some are missing, twice, or out of order"

    def teardown(self) -> None:
        try:
            self._run(self._all())
            for key in KEYS:
                assert self._come(key) == self.sent[key]
            set_aside = {one[0].headers["ce_id"] for one in self.world.written.letters}
            assert self.bad <= set_aside
        finally:
            self.loop.close()

    def _come(self, key: str) -> list[int]:
        events = self.world.commands.events.get(f"stock-{key}", [])
        return [one.quantity for one in events if type(one).__name__ == "StockReceived"]

    async def _take(self, key: str) -> None:
        assert await self.world.handler.handle(self.queues[key][0], self.world.released)
        self.queues[key].pop(0)

    async def _retry(self, key: str) -> None:
        if [one for one in await self.world.letters() if one[0] == key]:
            await self.world.operations.retry("inbound_warehouse", key)

    async def _discard(self, key: str) -> None:
        async for record in self.world.dead_letters.of_key("inbound_warehouse", key):
            if record.origin.event_id in self.bad:
                await self.world.operations.discard("inbound_warehouse", record.position, "bad", "joe")
            return

    async def _all(self) -> None:
        """Everything is taken, and every bad one discarded."""
        for key in KEYS:
            while self.queues[key]:
                await self._take(key)
            while [one for one in await self.world.letters() if one[0] == key]:
                await self._discard(key)
                await self._retry(key)

    def _run(self, what: Any) -> None:
        try:
            self.loop.run_until_complete(what)
        except Crash:
            self.countdown = -1
            self.world.restart()
            self.loop.run_until_complete(self._claims_run_out())

    async def _claims_run_out(self) -> None:
        """As time passes."""
        for key in KEYS:
            gate = await self.world.gates.find("warehouse", key)
            if gate.retried_until:
                await self.world.gates.change(gate, shut=gate.shut)

    async def _step(self, _operation: str, _collection: str) -> None:
        self._count_down(self.fault)

    def _command(self, _action: str) -> None:
        self._count_down(Crash if self.fault is Crash else DependencyUnavailable)

    def _write(self) -> None:
        self._count_down(Crash if self.fault is Crash else DependencyUnavailable)

    def _count_down(self, fault: type[BaseException]) -> None:
        if self.countdown == 0:
            self.countdown = -1
            raise fault("away", "away") if fault is DependencyUnavailable else fault("away")
        self.countdown -= 1 if self.countdown > 0 else 0


TestInbound = Inbound.TestCase
TestInbound.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

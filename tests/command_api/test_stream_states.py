"""Commands by two instances, and between them streams that are deleted, cut off, made anew or restored, and instances
that start again: nothing is acknowledged that was decided on a state that the stream does not have."""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from command_api.aggregates import Aggregates
from command_api.headers import CommandHeaders
from command_api.pipeline import Contended, Pipeline
from command_api.repetitions import KeyReused
from command_api.requests import command_request
from command_api.responses import REFUSALS, problem
from domain.model.aggregate import Aggregate
from domain.model.command_context import CommandContext
from domain.model.errors import RuleViolation
from infrastructure.aggregate_streams import begins
from infrastructure.event_codec import EventCodec, decode_metadata
from infrastructure.event_store import EventStoreUnavailable, StoredEvent
from infrastructure.telemetry import TraceContext
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.tiny import LAMP
from tests.support.tiny.lamp import InstallLamp, SwitchLampOff, SwitchLampOn
from tests.support.tiny.meter import METER, InstallMeter, ReadMeter

CODEC = EventCodec((LAMP, METER))
TYPES = {type_.struct: (aggregate, type_) for aggregate in (LAMP, METER) for type_ in aggregate.commands}
STREAMS = ("lamp-x", "meter-x")

commands = st.one_of(
    st.just(InstallLamp("hall", 40)),
    st.just(SwitchLampOn()),
    st.just(SwitchLampOff()),
    st.just(InstallMeter()),
    st.builds(ReadMeter, st.integers(0, 9)),
)
numbers = st.integers(0, 1)
keys = st.sampled_from([None, None, None, "k1", "k2", "k3"])
losses = st.sampled_from([False] * 7 + [True])
streams = st.sampled_from(STREAMS)
deeds = st.one_of(
    st.tuples(st.sampled_from(["tb"]), st.integers(1, 12)),
    st.tuples(st.sampled_from(["maxCount", "maxAge"]), st.integers(1, 5)),
    st.tuples(st.just("delete"), st.just(0)),
)


class Commands(RuleBasedStateMachine):
    """`x` is a lamp and a meter; what they hold is read from the store by the plainest of means."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = MemoryEventStore()
        self.backup = self.store.backup()
        self.instances: list[Pipeline] = []
        self.aggregates: list[Aggregates] = []
        for _ in range(2):
            self._start()

    def _start(self) -> None:
        self.aggregates.append(Aggregates(self.store, CODEC, 10))  # type: ignore[arg-type]
        self.instances.append(Pipeline(self.store, CODEC, self.aggregates[-1], 3, lambda: NOON))  # type: ignore[arg-type]

    @rule(number=numbers)
    def start_again(self, number: int) -> None:
        del self.instances[number], self.aggregates[number]
        self._start()

    @rule(number=numbers, key=keys, lost=losses)
    def next_of_the_lamp(self, number: int, key: str | None, lost: bool) -> None:
        """What is right in its state, so that it goes on."""
        lamp = self._state(LAMP, "lamp-x")
        rights = {"off": SwitchLampOn(), "on": SwitchLampOff()}
        self.send(number, InstallLamp("hall", 40) if lamp is None else rights[lamp.status], key, lost)

    @rule(number=numbers, key=keys, lost=losses, used=st.integers(0, 3))
    def next_of_the_meter(self, number: int, key: str | None, lost: bool, used: int) -> None:
        meter = self._state(METER, "meter-x")
        self.send(number, InstallMeter() if meter is None else ReadMeter(meter.shows + used), key, lost)

    @rule(number=numbers, command=commands, key=keys, lost=losses)
    def any_command(self, number: int, command: Any, key: str | None, lost: bool) -> None:
        self.send(number, command, key, lost)

    def send(self, number: int, command: Any, key: str | None, lost: bool) -> None:
        aggregate, command_type = TYPES[type(command)]
        stream = aggregate.stream("x")
        before = self.store.readable(stream) if not self._is_gone(stream) else []
        headers = CommandHeaders() if key is None else CommandHeaders(idempotency_key=key)
        request = command_request(command_type, "x", command, headers, TraceContext())
        written, snapshots = len(self._of(stream)), self._snapshots(aggregate)
        state, is_whole = self._state(aggregate, stream), not before or begins(aggregate, CODEC, before[0])
        if not before and self._of(stream) and not self._is_gone(stream):
            is_whole = False
        self.store.lose_answer = lost
        try:
            result = self._run(self.instances[number].handle(aggregate, command_type, request))
        except REFUSALS as refusal:
            self._right_to_refuse(refusal, len(self._of(stream)) - written, bool(before or snapshots))
            return
        finally:
            self.store.lose_answer = False
        news = self._of(stream)[written:]
        if news:
            (event,) = (CODEC.decode(one).event for one in news)
            assert (result.revision, result.position) == (news[-1].revision, news[-1].position)
            assert aggregate.decide(command, state, CommandContext("x", NOON)) == [event], "decided on another state"
            assert is_whole or snapshots, "decided without knowing the state"
        else:
            assert key is not None
            self._was_carried_out(aggregate, stream, result.revision, key)

    def _right_to_refuse(self, refusal: Exception, written: int, was_there: bool) -> None:
        if isinstance(refusal, EventStoreUnavailable):
            return
        assert problem(refusal).details.status < 500
        assert not isinstance(refusal, Contended), "nobody else was at it"
        assert written == 0, "refused, and yet something was written"
        if isinstance(refusal, RuleViolation | KeyReused):
            assert was_there, "there is nothing that could forbid it"

    def _was_carried_out(self, aggregate: Aggregate, stream: str, revision: int, key: str) -> None:
        """The answer to a repetition tells of an event that the stream has, or that a snapshot stands for."""
        there = [one for one in self.store.readable(stream) if one.revision == revision]
        if there:
            assert decode_metadata(there[0]).command_id == key
        else:
            assert self._snapshots(aggregate), "an event that is not there was said to be"

    def _state(self, aggregate: Aggregate, stream: str) -> Any:
        """By all events that were ever written, those too that can't be read any more; a beginning makes it anew."""
        state = None
        for one in [] if self._is_gone(stream) else self._of(stream):
            state = aggregate.evolve(state, CODEC.decode(one).event)
        return state

    @rule(stream=streams, deed=deeds)
    def happens_to(self, stream: str, deed: tuple[str, int]) -> None:
        what, value = deed
        if what == "delete":
            self.store.delete(stream)
        else:
            self.store.truncate(stream, **{what: value})

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds: int) -> None:
        self.store.now += seconds

    @rule(stream=streams)
    @precondition(lambda self: len(self.store.log) > 12)
    def tombstone(self, stream: str) -> None:
        self.store.tombstones.add(stream)

    @rule()
    def back_up(self) -> None:
        self.backup = self.store.backup()

    @rule()
    def restore(self) -> None:
        self.store.restore(self.backup)

    def _run(self, work: Any) -> Any:
        async def and_its_snapshots() -> Any:
            try:
                return await work
            finally:
                await asyncio.gather(*(one.close() for one in self.aggregates))

        return self.loop.run_until_complete(and_its_snapshots())

    def _is_gone(self, stream: str) -> bool:
        return stream in self.store.tombstones or self.store.metadata.get(stream, {}).get("$tb") == 2**63 - 1

    def _of(self, stream: str) -> list[StoredEvent]:
        return [one for one in self.store.log if one.stream == stream]

    def _snapshots(self, aggregate: Aggregate) -> list[StoredEvent]:
        return self.store.readable(aggregate.snapshot_stream("x"))

    def teardown(self) -> None:
        self.loop.close()


Commands.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestCommands = Commands.TestCase

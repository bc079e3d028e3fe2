"""Whatever happens to the commands of several instances, every stream they leave is a whole chain."""

import contextlib
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from command_api.aggregates import Aggregates
from command_api.headers import command_headers
from command_api.pipeline import Contended, Pipeline
from command_api.repetitions import KeyReused
from command_api.requests import command_request
from domain.model.errors import NoSuchAggregate, RuleViolation
from infrastructure.aggregate_streams import HistoryTruncated
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStoreUnavailable, StreamDeleted
from infrastructure.evidence.chain import link_of
from infrastructure.evidence.verifier import split_metadata
from infrastructure.telemetry import TraceContext
from tests.infrastructure.evidence.auditable_log import AuditableLog, report_of
from tests.support.decider import NOON
from tests.support.metered_service import METERED
from tests.support.tiny.lamp import InstallLamp, SwitchLampOff, SwitchLampOn
from tests.support.tiny.meter import METER, InstallMeter, ReadMeter
from tests.support.tiny.parcel import DeliverParcel, SendParcel

CODEC = EventCodec(METERED.aggregates)
TYPES = {type_.struct: (aggregate, type_) for aggregate in METERED.aggregates for type_ in aggregate.commands}
REFUSED = (
    *(RuleViolation, NoSuchAggregate, KeyReused, Contended),
    *(EventStoreUnavailable, StreamDeleted, HistoryTruncated),
)

COMMANDS = {
    "l-1": (InstallLamp("kitchen", 60), SwitchLampOn(), SwitchLampOff()),
    "p-1": (SendParcel("ada", 500), DeliverParcel()),
    "m-1": (InstallMeter(), *(ReadMeter(value) for value in range(4))),
}
STREAMS = {"l-1": "lamp-l-1", "p-1": "parcel-p-1", "m-1": "meter-m-1"}


class Instance:
    """One command API process; each call comes at a later time, so that a repetition has other events."""

    def __init__(self, log: AuditableLog) -> None:
        self.aggregates = Aggregates(log, CODEC, 100)
        self.calls = 0
        self.pipeline = Pipeline(log, CODEC, self.aggregates, 5, lambda: NOON + timedelta(seconds=self.calls))

    async def __call__(self, aggregate_id: str, command: msgspec.Struct, key: str | None) -> None:
        self.calls += 1
        raw = [] if key is None else [(b"idempotency-key", key.encode())]
        aggregate, command_type = TYPES[type(command)]
        request = command_request(command_type, aggregate_id, command, command_headers(raw), TraceContext())
        await self.pipeline.handle(aggregate, command_type, request)
        await self.aggregates.close()


commands = st.sampled_from(sorted(COMMANDS)).flatmap(
    lambda aggregate_id: st.tuples(
        st.just(aggregate_id),
        st.sampled_from(COMMANDS[aggregate_id]),
        st.sampled_from([None, None, "k1", "k2"]),
    )
)
steps = st.one_of(
    st.tuples(st.just("command"), st.integers(0, 1), commands),
    st.tuples(st.just("command"), st.integers(0, 1), commands),
    st.tuples(st.just("raced"), st.integers(0, 1), commands, commands),
    st.tuples(st.just("answer lost"), st.integers(0, 1), commands),
    st.tuples(st.just("restarted"), st.integers(0, 1)),
    st.tuples(st.just("deleted"), st.sampled_from(sorted(STREAMS))),
    st.tuples(st.just("cut off"), st.integers(1, 6)),
)


async def carried_out(instance: Instance, command) -> None:
    with contextlib.suppress(*REFUSED):
        await instance(*command)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=4, max_size=30))
async def test_every_stream_is_a_whole_chain(given_steps) -> None:
    log = AuditableLog()
    instances = [Instance(log), Instance(log)]
    for step in given_steps:
        match step:
            case ("command", who, command):
                await carried_out(instances[who], command)
            case ("raced", who, command, rival):
                log.before_append = lambda who=who, rival=rival: carried_out(instances[1 - who], rival)
                await carried_out(instances[who], command)
                log.before_append = None
            case ("answer lost", who, command):
                log.lose_answer = True
                await carried_out(instances[who], command)
                log.lose_answer = False
            case ("restarted", who):
                instances[who] = Instance(log)
            case ("deleted", aggregate_id):
                log.delete(STREAMS[aggregate_id])
            case ("cut off", before):
                log.truncate(STREAMS["m-1"], tb=before)
    report = await report_of(log)
    assert report.finding is None
    for stream in STREAMS.values():
        assert all(link_of(event) is not None for event in log.log if event.stream == stream)


@pytest.mark.parametrize("snapshot_has_it", [True, False])
async def test_the_chain_goes_on_from_a_snapshot(snapshot_has_it: bool) -> None:
    log = AuditableLog()
    await Instance(log)("m-1", InstallMeter(), None)
    for value in range(METER.snapshot_every - 1):
        await Instance(log)("m-1", ReadMeter(value), None)
    snapshot = next(event for event in log.log if event.type == "AggregateSnapshot")
    assert msgspec.json.decode(snapshot.data)["chain"][0] == 3
    if snapshot_has_it:
        log.truncate("meter-m-1", tb=4)  # all of it, so that the snapshot alone knows the link
    else:  # as an older version took it
        at = log.log.index(snapshot)
        document = {name: value for name, value in msgspec.json.decode(snapshot.data).items() if name != "chain"}
        log.log[at] = msgspec.structs.replace(snapshot, data=msgspec.json.encode(document))
    await Instance(log)("m-1", ReadMeter(9), None)
    assert link_of(log.log[-1]).place == 4
    assert (await report_of(log)).finding is None


async def test_old_events_without_a_link_stay_as_they_are() -> None:
    log = AuditableLog()
    await Instance(log)("l-1", InstallLamp("kitchen", 60), None)
    log.log[0] = msgspec.structs.replace(log.log[0], metadata=split_metadata(log.log[0].metadata)[0])
    await Instance(log)("l-1", SwitchLampOn(), None)
    assert link_of(log.log[1]).place == 0
    report = await report_of(log)
    assert (report.finding, report.linked, report.unlinked) == (None, 1, 1)


@pytest.mark.parametrize("chain", [[-1, "00" * 32], [3, "00"], [3, "x"], "x", [3]])
async def test_a_snapshot_whose_link_is_none_is_not_used(chain) -> None:
    log = AuditableLog()
    await Instance(log)("m-1", InstallMeter(), None)
    for value in range(METER.snapshot_every - 1):
        await Instance(log)("m-1", ReadMeter(value), None)
    snapshot = next(event for event in log.log if event.type == "AggregateSnapshot")
    document = {**msgspec.json.decode(snapshot.data), "chain": chain}
    log.log[log.log.index(snapshot)] = msgspec.structs.replace(snapshot, data=msgspec.json.encode(document))
    await Instance(log)("m-1", ReadMeter(9), None)
    assert [link_of(event).place for event in log.log if event.stream == "meter-m-1"] == [0, 1, 2, 3, 4]
    assert (await report_of(log)).finding is None

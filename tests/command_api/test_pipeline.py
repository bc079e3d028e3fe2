"""The pipeline's promises with several instances, races, lost answers and repetitions, on a store in memory."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from command_api.aggregates import Aggregates
from command_api.deciding import StaleVersion
from command_api.headers import command_headers
from command_api.pipeline import Contended, Pipeline
from command_api.repetitions import KeyReused
from command_api.requests import command_request
from domain.model.errors import NoSuchAggregate, RuleViolation
from infrastructure.event_store import EventStoreUnavailable, WrongExpectedRevision
from infrastructure.telemetry import TraceContext
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.tiny import LAMP, PARCEL, TINY_CODEC
from tests.support.tiny.lamp import InstallLamp, SwitchLampOff, SwitchLampOn
from tests.support.tiny.parcel import DeliverParcel, SendParcel

INSTALL, ON, OFF = InstallLamp("kitchen", 60), SwitchLampOn(), SwitchLampOff()
TYPES = {type_.struct: (aggregate, type_) for aggregate in (LAMP, PARCEL) for type_ in aggregate.commands}


class Instance:
    """One command API process over a shared store."""

    def __init__(self, store: MemoryEventStore, *, capacity: int = 100, retries: int = 5, clock=lambda: NOON) -> None:
        self.aggregates = Aggregates(store, TINY_CODEC, capacity)
        self.pipeline = Pipeline(store, TINY_CODEC, self.aggregates, retries, clock)

    async def __call__(self, command, aggregate_id="l-1", **headers: str):
        raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        aggregate, command_type = TYPES[type(command)]
        request = command_request(command_type, aggregate_id, command, command_headers(raw), TraceContext())
        return await self.pipeline.handle(aggregate, command_type, request)


@pytest.fixture
def store():
    return MemoryEventStore()


def types(store):
    return [event.type for event in store.log]


async def test_a_lamp_goes_its_way_and_each_step_after_the_first_reads_its_stream_once(store):
    issue = Instance(store)
    results = [await issue(command) for command in (INSTALL, ON, OFF, ON)]
    assert [result.revision for result in results] == [0, 1, 2, 3]
    assert [result.position for result in results] == [event.position for event in store.log]
    assert types(store) == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff", "LampSwitchedOn"]
    assert store.reads == 3


async def test_a_refusal_never_rests_on_what_may_be_out_of_date(store):
    one, other = Instance(store), Instance(store)
    await one(INSTALL)
    await other(ON)
    # `one` still holds the lamp as off; switching it off is right all the same.
    assert (await one(OFF)).revision == 2


async def test_a_repeated_command_gives_the_first_answer_again_on_any_instance(store):
    one, other = Instance(store), Instance(store)
    first = await one(INSTALL, idempotency_key="k1")
    await other(ON)
    for issue in (one, other, Instance(store)):
        again = await issue(INSTALL, idempotency_key="k1")
        assert (again.revision, again.position) == (first.revision, first.position)
    assert types(store) == ["LampInstalled", "LampSwitchedOn"]


async def test_a_key_with_another_body_is_refused_and_nothing_is_done(store):
    one, other = Instance(store), Instance(store)
    await one(INSTALL, idempotency_key="k1")
    for issue in (one, other):
        with pytest.raises(KeyReused):
            await issue(ON, idempotency_key="k1")
        with pytest.raises(KeyReused):
            await issue(InstallLamp("kitchen", 61), idempotency_key="k1")
    await one(ON, idempotency_key="k2")
    with pytest.raises(KeyReused):
        await other(OFF, idempotency_key="k2")
    assert types(store) == ["LampInstalled", "LampSwitchedOn"]


async def test_a_key_with_another_body_is_refused_when_both_race(store):
    one, other = Instance(store), Instance(store)
    store.before_append = lambda: other(InstallLamp("kitchen", 40), idempotency_key="k")
    with pytest.raises(KeyReused):
        await one(InstallLamp("kitchen", 60), idempotency_key="k")
    assert types(store) == ["LampInstalled"]


async def test_a_key_with_another_command_is_refused_when_both_race(store):
    one, other = Instance(store), Instance(store)
    await one(INSTALL)
    await one(ON)

    async def rival():
        await other(OFF)
        await other(ON, idempotency_key="k")

    store.before_append = rival
    with pytest.raises(KeyReused):
        await one(OFF, idempotency_key="k")
    assert types(store) == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff", "LampSwitchedOn"]


async def test_fifty_times_at_once_is_once(store):
    instances = [Instance(store) for _ in range(5)]
    results = await asyncio.gather(*(instances[n % 5](INSTALL, idempotency_key="k") for n in range(50)))
    assert len({(result.revision, result.position) for result in results}) == 1
    assert types(store) == ["LampInstalled"]


async def test_after_a_lost_answer_the_repetition_finds_the_first_run(store):
    issue = Instance(store)
    store.lose_answer = True
    with pytest.raises(EventStoreUnavailable):
        await issue(INSTALL, idempotency_key="k")
    assert (await issue(INSTALL, idempotency_key="k")).revision == 0
    assert types(store) == ["LampInstalled"]


async def test_a_repetition_does_not_leave_its_own_times_in_the_cache(store):
    later = Instance(store, clock=lambda: NOON + timedelta(days=1))
    send = SendParcel("ada", 500)
    await Instance(store)(send, "p-1", idempotency_key="k")
    await later(send, "p-1", idempotency_key="k")
    await later(DeliverParcel(), "p-1")
    sent, delivered = (TINY_CODEC.decode(event).event for event in store.log)
    assert delivered.sent_at == sent.sent_at == NOON


async def test_two_different_commands_race_and_the_loser_is_decided_again(store):
    one, other = Instance(store), Instance(store)
    await one(INSTALL)

    async def rival():
        await other(ON)
        await other(OFF)

    store.before_append = rival
    assert (await one(ON)).revision == 3
    assert types(store) == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff", "LampSwitchedOn"]


async def test_a_loser_that_the_new_state_forbids_gets_the_rule(store):
    one, other = Instance(store), Instance(store)
    await one(INSTALL)
    store.before_append = lambda: other(ON)
    with pytest.raises(RuleViolation, match="is on"):
        await one(ON)


async def test_two_that_create_race_and_one_wins(store):
    one, other = Instance(store), Instance(store)
    store.before_append = lambda: other(INSTALL)
    with pytest.raises(RuleViolation, match="already"):
        await one(INSTALL)
    assert types(store) == ["LampInstalled"]


async def test_a_command_that_keeps_losing_gives_up(store):
    one, rival = Instance(store, retries=2), Instance(store)
    await one(INSTALL)
    append = store.append

    async def contended(stream, expected, events):
        store.append = append
        await rival(ON)
        await rival(OFF)
        store.append = contended
        raise WrongExpectedRevision(stream, expected, expected + 2)

    store.append = contended
    with pytest.raises(Contended, match="3 conflicts"):
        await one(ON)
    store.append = append
    assert (await rival(ON)).revision == 7


async def test_a_node_that_is_behind_says_nothing_of_events_that_have_expired(store):
    one = Instance(store, retries=0)
    await one(INSTALL)
    store.may_lag = True

    async def contended(stream, expected, events):
        raise WrongExpectedRevision(stream, expected, expected + 1)

    store.append = contended
    with pytest.raises(Contended):
        await one(ON)


@pytest.mark.parametrize("stale", [True, False])
async def test_if_match(store, stale):
    one, other = Instance(store), Instance(store)
    await one(INSTALL)
    await other(ON)
    if stale:
        with pytest.raises(StaleVersion) as refused:
            await one(OFF, if_match='"0"')
        assert refused.value.revision == 1
    else:
        assert (await one(OFF, if_match='"7", "1"')).revision == 2


async def test_if_match_refuses_before_the_rules_do(store):
    issue = Instance(store)
    await issue(INSTALL)
    with pytest.raises(StaleVersion):
        await issue(OFF, if_match='"5"')
    with pytest.raises(StaleVersion):
        await issue(ON, if_match='W/"0"')
    assert (await issue(ON, if_match="*")).revision == 1


async def test_if_match_loses_a_race_at_once(store):
    one, other = Instance(store), Instance(store)
    await one(INSTALL)

    async def rival():
        await other(ON)
        await other(OFF)

    store.before_append = rival
    with pytest.raises(StaleVersion):
        await one(ON, if_match='"0"')
    assert types(store) == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff"]


async def test_no_aggregate(store):
    with pytest.raises(NoSuchAggregate):
        await Instance(store)(ON)


async def test_the_cache_is_bounded_and_a_small_one_changes_nothing(store):
    issue = Instance(store, capacity=2)
    for n in range(5):
        await issue(INSTALL, f"l-{n}")
    assert len(issue.aggregates._cached) == 2
    for n in range(5):
        assert (await issue(ON, f"l-{n}")).revision == 1


@pytest.mark.parametrize("later", [timedelta(), timedelta(minutes=1)])
async def test_repetitions_are_counted(store, later):
    def repeated() -> float:
        return REGISTRY.get_sample_value("eventfold_commands_repeated_total") or 0

    store.now = NOON.timestamp()
    issue, before = Instance(store), repeated()
    await issue(INSTALL, idempotency_key="k1")
    await issue(ON, idempotency_key="k2")
    assert repeated() == before
    await issue(ON, idempotency_key="k2")
    assert repeated() == before + 1, "found in the stream"
    # One that does not know the aggregate appends at once: the store recognises the ids, and does not say so.
    await Instance(store, clock=lambda: NOON + later)(INSTALL, idempotency_key="k1", x_correlation_id="another")
    assert repeated() == before + 2

"""The pipeline's promises with several instances, races, lost answers and repetitions, on a store in memory."""

import asyncio
from datetime import timedelta

import pytest

from command_api.aggregates import Aggregates
from command_api.pipeline import Contended, KeyReused, Pipeline, StaleVersion
from command_api.requests import command_request
from domain.model.errors import NoSuchAggregate, RuleViolation
from domain.ordering.aggregate import ORDER
from domain.ordering.commands import CancelOrder, ConfirmOrder, DeliverOrder, ShipOrder
from infrastructure.event_store import EventStoreUnavailable, WrongExpectedRevision
from tests.support.bundled import CODEC
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.orders import PLACE

TYPES = {type_.struct: type_ for type_ in ORDER.commands}
SHIP = ShipOrder("DHL", "JD014600")


class Instance:
    """One command API process over a shared store."""

    def __init__(self, store: MemoryEventStore, *, capacity: int = 100, retries: int = 5, clock=lambda: NOON) -> None:
        self.aggregates = Aggregates(store, CODEC, capacity)
        self.pipeline = Pipeline(store, CODEC, self.aggregates, retries, clock)

    async def __call__(self, command, order_id="o-1", **headers: str):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = command_request(TYPES[type(command)], order_id, command, given)
        return await self.pipeline.handle(ORDER, TYPES[type(command)], request)


@pytest.fixture
def store():
    return MemoryEventStore()


def types(store):
    return [event.type for event in store.log]


async def test_an_order_goes_its_way_without_reading_what_was_just_written(store):
    issue = Instance(store)
    results = [await issue(command) for command in (PLACE, ConfirmOrder(), SHIP, DeliverOrder())]
    assert [result.revision for result in results] == [0, 1, 2, 3]
    assert [result.position for result in results] == [event.position for event in store.log]
    assert types(store) == ["OrderCreated", "OrderConfirmed", "OrderShipped", "OrderDelivered"]
    assert store.reads == 0


async def test_a_refusal_never_rests_on_what_may_be_out_of_date(store):
    one, other = Instance(store), Instance(store)
    await one(PLACE)
    await other(ConfirmOrder())
    # `one` still holds the order as pending; shipping it is right all the same.
    assert (await one(SHIP)).revision == 2


async def test_a_repeated_command_gives_the_first_answer_again_on_any_instance(store):
    one, other = Instance(store), Instance(store)
    first = await one(PLACE, idempotency_key="k1")
    await other(ConfirmOrder())
    for issue in (one, other, Instance(store)):
        again = await issue(PLACE, idempotency_key="k1")
        assert (again.revision, again.position) == (first.revision, first.position)
    assert types(store) == ["OrderCreated", "OrderConfirmed"]


async def test_a_key_with_another_body_is_refused_and_nothing_is_done(store):
    one, other = Instance(store), Instance(store)
    await one(PLACE, idempotency_key="k1")
    for issue in (one, other):
        with pytest.raises(KeyReused):
            await issue(CancelOrder("no"), idempotency_key="k1")
    await one(CancelOrder("no"), idempotency_key="k2")
    with pytest.raises(KeyReused):
        await other(CancelOrder("another reason"), idempotency_key="k2")
    assert types(store) == ["OrderCreated", "OrderCancelled"]


async def test_a_key_with_another_body_is_refused_when_both_race(store):
    one, other = Instance(store), Instance(store)
    await one(PLACE)
    store.before_append = lambda: other(CancelOrder("first"), idempotency_key="k")
    with pytest.raises(KeyReused):
        await one(CancelOrder("second"), idempotency_key="k")
    assert types(store) == ["OrderCreated", "OrderCancelled"]


async def test_fifty_times_at_once_is_once(store):
    instances = [Instance(store) for _ in range(5)]
    results = await asyncio.gather(*(instances[n % 5](PLACE, idempotency_key="k") for n in range(50)))
    assert len({(result.revision, result.position) for result in results}) == 1
    assert types(store) == ["OrderCreated"]


async def test_after_a_lost_answer_the_repetition_finds_the_first_run(store):
    issue = Instance(store)
    store.lose_answer = True
    with pytest.raises(EventStoreUnavailable):
        await issue(PLACE, idempotency_key="k")
    assert (await issue(PLACE, idempotency_key="k")).revision == 0
    assert types(store) == ["OrderCreated"]


async def test_a_repetition_does_not_leave_its_own_times_in_the_cache(store):
    later = Instance(store, clock=lambda: NOON + timedelta(days=1))
    await Instance(store)(PLACE, idempotency_key="k")
    await later(PLACE, idempotency_key="k")
    await later(CancelOrder("no"))
    created, cancelled = (CODEC.decode(event).event for event in store.log)
    assert cancelled.ordered_at == created.ordered_at == NOON


async def test_two_different_commands_race_and_the_loser_is_decided_again(store):
    one, other = Instance(store), Instance(store)
    await one(PLACE)
    store.before_append = lambda: other(ConfirmOrder())
    assert (await one(CancelOrder("no"))).revision == 2
    assert types(store) == ["OrderCreated", "OrderConfirmed", "OrderCancelled"]


async def test_a_loser_that_the_new_state_forbids_gets_the_rule(store):
    one, other = Instance(store), Instance(store)
    await one(PLACE)
    store.before_append = lambda: other(CancelOrder("no"))
    with pytest.raises(RuleViolation, match="cancelled"):
        await one(ConfirmOrder())


async def test_two_placements_race_and_one_wins(store):
    one, other = Instance(store), Instance(store)
    store.before_append = lambda: other(PLACE)
    with pytest.raises(RuleViolation, match="already"):
        await one(PLACE)
    assert types(store) == ["OrderCreated"]


async def test_a_command_that_keeps_losing_gives_up(store):
    one, rival = Instance(store, retries=2), Instance(store)
    await one(PLACE)
    append = store.append

    async def contended(stream, expected, events):
        raise WrongExpectedRevision(stream, expected, expected + 1)

    store.append = contended
    with pytest.raises(Contended, match="3 conflicts"):
        await one(CancelOrder("no"))
    store.append = append
    assert (await rival(ConfirmOrder())).revision == 1


@pytest.mark.parametrize("stale", [True, False])
async def test_if_match(store, stale):
    one, other = Instance(store), Instance(store)
    await one(PLACE)
    await other(ConfirmOrder())
    if stale:
        with pytest.raises(StaleVersion) as refused:
            await one(CancelOrder("no"), if_match='"0"')
        assert refused.value.revision == 1
    else:
        assert (await one(CancelOrder("no"), if_match='"7", "1"')).revision == 2


async def test_if_match_refuses_before_the_rules_do(store):
    issue = Instance(store)
    await issue(PLACE)
    with pytest.raises(StaleVersion):
        await issue(DeliverOrder(), if_match='"5"')
    with pytest.raises(StaleVersion):
        await issue(ConfirmOrder(), if_match='W/"0"')
    assert (await issue(ConfirmOrder(), if_match="*")).revision == 1


async def test_if_match_loses_a_race_at_once(store):
    one, other = Instance(store), Instance(store)
    await one(PLACE)
    store.before_append = lambda: other(ConfirmOrder())
    with pytest.raises(StaleVersion):
        await one(CancelOrder("no"), if_match='"0"')
    assert types(store) == ["OrderCreated", "OrderConfirmed"]


async def test_no_order(store):
    with pytest.raises(NoSuchAggregate):
        await Instance(store)(ConfirmOrder())


async def test_the_cache_is_bounded_and_a_small_one_changes_nothing(store):
    issue = Instance(store, capacity=2)
    for n in range(5):
        await issue(PLACE, f"o-{n}")
    assert len(issue.aggregates._cached) == 2
    for n in range(5):
        assert (await issue(ConfirmOrder(), f"o-{n}")).revision == 1

"""The relay over a log and a store in memory: what arrives is a pure mapping of the log, in order a subject."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application import APPLICATION
from event_relay.destinations import Destination
from event_relay.pauses import Pauses
from event_relay.relay import Delivery
from event_relay.workload import RelayWorkload
from infrastructure.event_store import StoredEvent
from infrastructure.integration.cloud_event import CloudEvent, structured
from infrastructure.integration.publisher import Publisher
from infrastructure.outside.deliveries import EventRefused, Lane
from infrastructure.resilience import DependencyUnavailable, Limits, Policy
from infrastructure.settings import Settings
from subscriptions.operating.resetting import NoSuchPosition, Resetting
from subscriptions.process import create_coordinator
from tests.subscriptions.counting import parked
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import RunningConsumers, all_done, at_once
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC
from tests.support.order_logs import OrderLog, confirmed, created, delivered, random_log, shipped

PUBLISHER = Publisher(APPLICATION.publications)
POLICY = Policy("relay_tests", Limits())


class Receiver:
    """Takes events as a destination does: `fault` says which it does not take, or takes without an acknowledgement."""

    policy = POLICY

    def __init__(self, fault: Callable[[CloudEvent], Exception | None] = lambda _event: None) -> None:
        self.fault = fault
        self.taken: list[CloudEvent] = []
        self.lost_answers: Callable[[], bool] = lambda: False

    async def deliver(self, event: CloudEvent) -> None:
        await asyncio.sleep(0)
        fault = self.fault(event)
        if fault is not None:
            raise fault
        self.taken.append(event)
        if self.lost_answers():
            raise DependencyUnavailable("relay_tests", "the answer was lost")

    async def close(self) -> None:
        """There is nothing to close."""

    def once(self) -> list[CloudEvent]:
        """What has come, each event at its first time."""
        return list({event.id: event for event in reversed(self.taken)}.values())[::-1]


class Together(Receiver):
    """Takes many events together, as a broker does."""

    async def deliver_all(self, lanes: Sequence[Lane]) -> None:
        async def one(lane: Lane) -> None:
            with suppress(EventRefused):
                for event in lane:
                    await self.deliver(event)

        ends = await asyncio.gather(*(one(lane) for lane in lanes), return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end


Make = Callable[..., Receiver]


@pytest.fixture(params=[Receiver, Together])
def make(request: pytest.FixtureRequest) -> Make:
    found: Make = request.param
    return found


def destination(name: str = "tests", *types: str) -> Destination:
    return Destination(name, "webhook", "http://127.0.0.1/", "none", types or ("*",), concurrency=4)


def mapped(log: Sequence[StoredEvent], wants: Callable[[str], bool] = lambda _type: True) -> list[CloudEvent]:
    """What the whole log comes to, without a relay."""
    found: list[CloudEvent] = []
    for stored in log:
        try:
            recorded = CODEC.decode(stored)
        except Exception:
            continue
        found += [event for event in PUBLISHER.publish(stored, recorded) if wants(event.type)]
    return found


def by_subject(events: Sequence[CloudEvent]) -> dict[str, list[CloudEvent]]:
    found: dict[str, list[CloudEvent]] = {}
    for event in events:
        found.setdefault(event.subject, []).append(event)
    return found


class Running(RunningConsumers):
    """A process of the relay."""

    async def set_pause(self, consumer: str, paused: bool) -> None:
        await Pauses(self.store).set(consumer, paused)
        self.coordinator.changed.set()

    async def replay(self, consumer: str, beginning: int | str) -> None:
        await Resetting(self.store, self.log, self.coordinator.changed).reset(consumer, beginning)


@asynccontextmanager
async def relaying(
    log: ScriptedLog, store: MemoryReadStore, *destinations: tuple[Destination, Delivery]
) -> AsyncIterator[Running]:
    stop = asyncio.Event()
    workload = RelayWorkload(store, destinations, PUBLISHER, 1)
    settings = Settings.of(consumer_lease=0.6)
    coordinator = create_coordinator("event_relay", workload, log, CODEC, store, settings, stop, delays=at_once)
    task = asyncio.create_task(coordinator.run())
    try:
        yield Running(coordinator, workload, log, store)
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


ORDERS = OrderLog()
for _order in ("a", "b"):
    for _event in (created(_order), confirmed(_order), shipped(_order), delivered(_order)):
        ORDERS.add(f"order-{_order}", _event)


async def test_all_that_is_published_arrives_in_order_a_subject(make: Make):
    receiver = make()
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    async with relaying(log, store, (destination(), receiver)) as relay:
        await all_done(log, relay, 1)
    assert len(receiver.taken) == 8
    assert by_subject(receiver.taken) == by_subject(mapped(ORDERS.events))


async def test_a_destination_gets_what_it_wants():
    orders, shipments = Receiver(), Receiver()
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    first, second = destination("a", "ordering.order-placed.*"), destination("b", "*.order-shipped.v1")
    async with relaying(log, store, (first, orders), (second, shipments)) as relay:
        await all_done(log, relay, 2)
    assert {event.type for event in orders.taken} == {"ordering.order-placed.v1"}
    assert {event.type for event in shipments.taken} == {"ordering.order-shipped.v1"}


@given(st.integers(0, 2**32))
def test_whatever_fails_nothing_is_lost_and_order_is_kept(seed: int):
    choose = random.Random(seed)
    events = random_log(choose, choose.randrange(1, 40), poison=False)

    async def run() -> None:
        receiver = choose.choice([Receiver, Together])(
            lambda _event: DependencyUnavailable("relay_tests", "away") if choose.random() < 0.2 else None
        )
        receiver.lost_answers = lambda: choose.random() < 0.2
        log, store = ScriptedLog(events, cuts=[choose.randrange(0, 9) for _ in range(5)]), MemoryReadStore()
        for _ in range(2):  # the second process begins at the checkpoint of the first
            async with relaying(log, store, (destination(), receiver)) as relay:
                await all_done(log, relay, 1)
        # Equal ids are equal events, and each subject's come first in the order of the log.
        assert len({event.id for event in receiver.taken}) == len(set(map(structured, receiver.taken)))
        assert by_subject(receiver.once()) == by_subject(mapped(events))
        assert parked(store, "relay_tests") == []

    asyncio.run(run())


async def test_a_client_that_cancels_who_waits_for_it_makes_nothing_count_as_done(make: Make):
    """As clients do that lose their connection; a group of tasks takes it for an end that was asked for."""
    cancels = iter([True, False, True, True])
    receiver = make()
    deliver = receiver.deliver

    async def cancelling(event: CloudEvent) -> None:
        if next(cancels, False):
            raise asyncio.CancelledError
        await deliver(event)

    receiver.deliver = cancelling  # type: ignore[method-assign]
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    async with relaying(log, store, (destination(), receiver)) as relay:
        await all_done(log, relay, 1)
    assert by_subject(receiver.taken) == by_subject(mapped(ORDERS.events))


async def test_what_is_not_acknowledged_is_not_passed_by_the_checkpoint(make: Make):
    away = asyncio.Event()
    receiver = make(lambda _event: None if away.is_set() else DependencyUnavailable("relay_tests", "away"))
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    async with relaying(log, store, (destination(), receiver)) as relay:
        await until(lambda: len(log.subscribed_after) > 3)
        assert all(one["_position"] < 0 for one in store.documents("checkpoints").values())
        away.set()
        await all_done(log, relay, 1)
    assert by_subject(receiver.taken) == by_subject(mapped(ORDERS.events))


async def test_a_refused_event_is_a_dead_letter_with_those_behind_it_and_others_go_on(make: Make):
    refuses = True

    def fault(event: CloudEvent) -> Exception | None:
        is_bad = event.subject == "a" and event.type.endswith("confirmed.v1")
        return EventRefused("422 no") if refuses and is_bad else None

    receiver = make(fault)
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    async with relaying(log, store, (destination(), receiver)) as relay:
        await all_done(log, relay, 1)
        assert [len(one) for one in by_subject(receiver.taken).values()] == [1, 4]
        first, *behind = parked(store, "relay_tests")
        assert "422 no" in first["error"]
        assert len(behind) == 2
        refuses = False
        await relay.dead_letters().retry("relay_tests", "a")
    assert by_subject(receiver.taken) == by_subject(mapped(ORDERS.events))
    assert parked(store, "relay_tests") == []


async def test_each_destination_pauses_and_goes_on_by_itself():
    paused, other = Receiver(), Receiver()
    log, store = ScriptedLog([]), MemoryReadStore()
    await Pauses(store).set("relay_a", True)
    async with relaying(log, store, (destination("a"), paused), (destination("b"), other)) as relay:
        log.append(*ORDERS.events)
        await until(lambda: len(other.taken) == 8)
        assert paused.taken == []
        await relay.set_pause("relay_a", False)
        await until(lambda: len(paused.taken) == 8)
        await relay.set_pause("relay_a", True)
        await until(lambda: relay.follower("relay_a") is None)
    assert await Pauses(store).of(["relay_a", "relay_b"]) == {"relay_a"}


@pytest.mark.parametrize(("beginning", "again"), [("start", 8), (ORDERS.events[5].position, 2)])
async def test_a_replay_publishes_the_same_again(beginning: int | str, again: int):
    receiver, other = Receiver(), Receiver()
    log, store = ScriptedLog(ORDERS.events), MemoryReadStore()
    async with relaying(log, store, (destination("a"), receiver), (destination("b"), other)) as relay:
        await all_done(log, relay, 2)
        before = receiver.taken[:]
        await relay.replay("relay_a", beginning)
        await until(lambda: len(receiver.taken) == 8 + again)
        with pytest.raises(NoSuchPosition):
            await relay.replay("relay_a", 1)
    assert all(event in before for event in receiver.taken[8:])
    assert len(other.taken) == 8

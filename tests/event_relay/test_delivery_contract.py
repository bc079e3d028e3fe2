"""What holds for every broker, against the real ones."""

import asyncio

import msgspec
import pytest

from event_relay.relay import DeliversMany, Delivery
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.outside.deliveries import Lane
from infrastructure.resilience import DependencyUnavailable
from tests.event_relay.brokered import KafkaWire, RabbitMqWire, Wire, delivering
from tests.infrastructure.integration.test_cloud_event import EVENT, parts
from tests.support.services import until


@pytest.fixture(params=["kafka", "rabbitmq"])
def wire(request: pytest.FixtureRequest) -> Wire:
    broker = request.getfixturevalue(request.param)
    return KafkaWire(broker, broker.create_topic()) if request.param == "kafka" else RabbitMqWire(broker)


def events(prefix: str, keys: int = 3, each: int = 5) -> list[CloudEvent]:
    return [
        msgspec.structs.replace(EVENT, id=f"{prefix}-{key}-{number}", partitionkey=f"{prefix}{key}", traceparent="00-1")
        for number in range(each)
        for key in range(keys)
    ]


async def in_order(delivery: Delivery, given: list[CloudEvent]) -> None:
    """As the relay does: the events of a key one after another, each until it is acknowledged."""

    async def one_key(key: str) -> None:
        for event in given:
            while event.partitionkey == key:
                try:
                    await delivery.deliver(event)
                    break
                except DependencyUnavailable:
                    await asyncio.sleep(0.01)

    await asyncio.gather(*(one_key(key) for key in {event.partitionkey for event in given}))


async def test_an_event_arrives_as_it_was_in_order_a_key(wire: Wire):
    given = events("a")
    async with delivering(wire) as delivery:
        await in_order(delivery, given)
        # Of the whole alphabet, and with nothing in it.
        odd = msgspec.structs.replace(EVENT, id="odd", partitionkey="größe 🦆", data=msgspec.Raw(b"{}"))
        await delivery.deliver(odd)
    found = await wire.arrived(len(given) + 1)
    for key in {event.partitionkey for event in [*given, odd]}:
        ours = [parts(one.event) for one in found if one.event.partitionkey == key]
        assert ours == [parts(event) for event in [*given, odd] if event.partitionkey == key]
    assert all(one.headers["correlation-id"] in ("c-1", b"c-1") for one in found)
    assert sum(one.headers.get("traceparent") in ("00-1", b"00-1") for one in found) == len(given)


@pytest.mark.slow
async def test_a_broker_that_is_away_is_an_outage_and_nothing_is_lost_when_it_is_back(wire: Wire):
    async with delivering(wire, 2.0) as delivery:
        first, second = events("b", each=2), events("c")
        await in_order(delivery, first)
        await wire.survives()
        wire.broker.kill()
        with pytest.raises(DependencyUnavailable):
            await delivery.deliver(second[0])
        delivering_all = asyncio.create_task(in_order(delivery, second))
        await asyncio.to_thread(wire.broker.start)
        await asyncio.wait_for(delivering_all, 120)
    given = [*first, *second]
    # What was not known to have arrived may have come twice.
    found = [one.event for one in await wire.arrived(len(given), {event.id for event in given})]
    once = list({event.id: event for event in reversed(found)}.values())[::-1]
    for key in {event.partitionkey for event in given}:
        ours = [event.id for event in once if event.partitionkey == key]
        assert ours == [event.id for event in given if event.partitionkey == key]


async def test_a_broker_that_is_killed_in_the_middle_of_many_loses_nothing_and_order_a_key_is_kept(wire: Wire):
    given, acknowledged = events("d", each=100), list[CloudEvent]()

    def lane(key: str) -> Lane:
        for event in given:
            if event.partitionkey == key:
                yield event
                acknowledged.append(event)
                if len(acknowledged) == 100:
                    wire.broker.kill()

    keys = sorted({event.partitionkey for event in given})
    async with delivering(wire, 5.0) as delivery:
        assert isinstance(delivery, DeliversMany)
        await in_order(delivery, events("first", keys=1, each=1))
        await wire.survives()
        with pytest.raises(DependencyUnavailable):
            await delivery.deliver_all([lane(key) for key in keys])
        await asyncio.to_thread(wire.broker.start)
        left = [event for event in given if event not in acknowledged]
        assert 0 < len(left) < len(given)
        await asyncio.wait_for(in_order(delivery, left), 300)
    ids = {event.id for event in given}
    found = [one.event for one in await wire.arrived(len(given) + 1, ids) if one.event.id in ids]
    once = list({event.id: event for event in reversed(found)}.values())[::-1]
    for key in keys:
        assert [one.id for one in once if one.partitionkey == key] == [
            one.id for one in given if one.partitionkey == key
        ]


async def test_what_is_large_arrives(wire: Wire):
    large = msgspec.structs.replace(EVENT, data=msgspec.Raw(b'"' + b"x" * 500_000 + b'"'))
    async with delivering(wire) as delivery:
        await delivery.deliver(large)
    [one] = await wire.arrived(1)
    assert one.event.data == large.data


async def test_closing_again_or_unused_is_nothing(wire: Wire):
    unused = wire.delivery()
    await unused.close()
    await unused.close()


async def test_one_that_ends_has_nothing_running(wire: Wire):
    before = len(asyncio.all_tasks())
    async with delivering(wire) as delivery:
        await delivery.deliver(EVENT)

    async def none_left() -> bool:
        return len(asyncio.all_tasks()) <= before

    await until(none_left, "no task is left")

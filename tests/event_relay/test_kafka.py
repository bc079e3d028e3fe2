"""Kafka by its wire protocol, against librdkafka's mock cluster."""

import asyncio
import time

import msgspec
import pytest
from confluent_kafka import Consumer, Producer

from infrastructure.integration.cloud_event import from_kafka
from infrastructure.outside.deliveries import EventRefused
from infrastructure.outside.kafka import KafkaTopic
from infrastructure.resilience import Delays, DependencyUnavailable, Limits, Policy
from tests.infrastructure.integration.test_cloud_event import EVENT, parts

TOPIC = "eventfold.ordering"


def policy(timeout: float = 60.0) -> Policy:
    return Policy("relay_kafka_test", Limits(timeout=timeout, retries=0), delays=Delays(first=0.0, cap=0.0))


@pytest.fixture(scope="module")
def servers() -> str:
    """A mock cluster, which lives as long as the client that made it."""
    made = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 3})
    metadata = made.list_topics(timeout=30)
    found = ",".join(f"{one.host}:{one.port}" for one in metadata.brokers.values())
    _ALIVE.append(made)
    return found


_ALIVE: list[Producer] = []


def read(servers: str, number: int) -> list[tuple[bytes, dict[str, bytes], bytes]]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": str(time.time()), "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    found = []
    while len(found) < number:
        message = consumer.poll(30)
        assert message is not None, f"{len(found)} of {number} have come"
        if message.error() is None:
            found.append((message.key(), dict(message.headers()), message.value()))
    consumer.close()
    return found


async def test_an_event_arrives_as_it_was_in_order_a_key(servers: str):
    topic = KafkaTopic(servers, TOPIC, policy())
    events = [
        msgspec.structs.replace(EVENT, id=f"{key}-{number}", partitionkey=key, traceparent="00-1-2-01")
        for number in range(5)
        for key in ("a", "b", "c")
    ]

    async def one_key(key: str) -> None:
        for event in events:
            if event.partitionkey == key:
                await topic.deliver(event)

    await asyncio.gather(*map(one_key, "abc"))
    await topic.close()
    found = await asyncio.to_thread(read, servers, len(events))
    for key in ("a", "b", "c"):
        ours = [from_kafka(headers, value) for at, headers, value in found if at == key.encode()]
        assert list(map(parts, ours)) == [parts(event) for event in events if event.partitionkey == key]
    _, headers, _ = found[0]
    assert headers["event-type"] == b"ordering.order-placed.v1"
    assert headers["correlation-id"] == b"c-1"
    assert headers["timestamp"] == b"2026-03-02T09:30:00.000Z"
    assert headers["traceparent"] == b"00-1-2-01"


async def test_a_broker_that_is_away_is_an_outage():
    topic = KafkaTopic("127.0.0.1:1", TOPIC, policy(0.3))
    with pytest.raises(DependencyUnavailable):
        await topic.deliver(EVENT)
    await topic.close()


async def test_an_event_that_is_too_large_is_refused(servers: str):
    topic = KafkaTopic(servers, TOPIC, policy(), {"message.max.bytes": "1000"})
    with pytest.raises(EventRefused, match="MSG_SIZE_TOO_LARGE"):
        await topic.deliver(msgspec.structs.replace(EVENT, data=msgspec.Raw(b'"' + b"x" * 2_000 + b'"')))
    await topic.close()

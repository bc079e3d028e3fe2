"""Other systems: they send to real brokers, again where a broker was away, so that what they send comes at least
once."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aio_pika
from confluent_kafka import Consumer, KafkaError, Producer

from infrastructure.inbound.messages import IncomingMessage
from tests.support.kafka_broker import KafkaBroker
from tests.support.rabbitmq_broker import RabbitMqBroker


def sent_to_kafka(broker: KafkaBroker, topic: str, messages: Sequence[IncomingMessage], times: int = 1) -> None:
    """Sends each so often, in their order; returns once the broker has all of them."""
    producer = Producer({"bootstrap.servers": broker.servers, "message.max.bytes": 20_000_000, "log_level": 0})
    failed: list[KafkaError] = []

    def done(error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            failed.append(error)

    for one in messages:
        for _ in range(times):
            headers = [*one.headers.items(), ("content-type", one.content_type)]
            producer.produce(topic, one.body, one.key or None, headers=headers, on_delivery=done)
            producer.poll(0)
    assert producer.flush(120) == 0
    assert failed == []


def dead_in_kafka(broker: KafkaBroker, topic: str, number: int) -> list[tuple[Mapping[str, bytes], bytes | None]]:
    """The first dead letters of a topic: headers and body."""
    consumer = Consumer(
        {"bootstrap.servers": broker.servers, "group.id": f"reads-{topic}", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    found: list[tuple[Mapping[str, bytes], bytes | None]] = []
    while len(found) < number:
        message = consumer.poll(60)
        assert message is not None, f"{len(found)} of {number} have come"
        if message.error() is None:
            found.append((dict(message.headers() or ()), message.value()))
    consumer.close()
    return found


async def sent_to_rabbitmq(
    broker: RabbitMqBroker, queue: str, messages: Sequence[IncomingMessage], times: int = 1
) -> None:
    """As `sent_to_kafka`. Attributes are headers as the AMQP mapping has them."""
    left = [one for one in messages for _ in range(times)]
    while left:
        try:
            async with await aio_pika.connect(broker.uri, timeout=10) as connection:
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                while left:
                    await channel.default_exchange.publish(_amqp(left[0]), routing_key=queue, mandatory=True)
                    left.pop(0)
        except (OSError, TimeoutError, aio_pika.exceptions.AMQPError, RuntimeError):
            await asyncio.sleep(0.2)


def _amqp(one: IncomingMessage) -> aio_pika.Message:
    headers: dict[str, Any] = {name.replace("ce_", "cloudEvents_"): value for name, value in one.headers.items()}
    if one.key and headers:
        headers["cloudEvents_partitionkey"] = one.key
    return aio_pika.Message(
        one.body, headers=headers, content_type=one.content_type, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
    )


async def dead_in_rabbitmq(broker: RabbitMqBroker, queue: str, number: int) -> list[tuple[Mapping[str, Any], bytes]]:
    """The first dead letters of a queue: headers and body."""
    found: list[tuple[Mapping[str, Any], bytes]] = []
    async with await aio_pika.connect(broker.uri, timeout=30) as connection:
        channel = await connection.channel()
        letters = await channel.declare_queue(queue, passive=True)
        while len(found) < number:
            message = await letters.get(no_ack=True, fail=False)
            if message is None:
                await asyncio.sleep(0.05)
            else:
                found.append((message.headers, message.body))
    return found


def structured(cloud_type: str, data: Any, event_id: str, key: str) -> IncomingMessage:
    """A message in the structured mapping."""
    whole = {
        "specversion": "1.0",
        "id": event_id,
        "source": "urn:test",
        "type": cloud_type,
        "partitionkey": key,
        "data": data,
    }
    return IncomingMessage(
        "deliveries", json.dumps(whole).encode(), {}, "application/cloudevents+json; charset=utf-8", key=key
    )

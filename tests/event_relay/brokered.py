"""The destinations of the tests, each with a way to see what arrived: one contract holds for all of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aio_pika
from confluent_kafka import Consumer

from event_relay.relay import Delivery
from infrastructure.integration.cloud_event import CloudEvent, from_amqp, from_kafka
from infrastructure.outside.kafka import KafkaTopic
from infrastructure.outside.rabbitmq import RabbitMqConnection, RabbitMqExchange, Topology
from infrastructure.resilience import Delays, Limits, Policy
from tests.support.kafka_broker import KafkaBroker
from tests.support.rabbitmq_broker import PASSWORD, USER, RabbitMqBroker
from tests.support.services import until


def policy(timeout: float = 60.0, concurrency: int = 64) -> Policy:
    limits = Limits(timeout=timeout, retries=0, concurrency=concurrency, queue=concurrency, recovery_timeout=0.2)
    return Policy("relay_tests", limits, delays=Delays(first=0.0, cap=0.0))


class Arrived:
    """One event as a consumer has it."""

    def __init__(self, event: CloudEvent, headers: Mapping[str, Any], key: str) -> None:
        self.event, self.headers, self.key = event, headers, key


class Wire(Protocol):
    """A real broker behind a destination of its own."""

    broker: KafkaBroker | RabbitMqBroker

    def delivery(self, timeout: float = 60.0) -> Delivery: ...

    async def arrived(self, number: int, ids: Collection[str] = ()) -> list[Arrived]:
        """From the first one on, that many and until all with these ids are there."""
        ...

    async def survives(self, *queues: str) -> None:
        """Returns when the broker has written down what it needs after a kill: of other queues too, if any."""
        ...


class KafkaWire:
    def __init__(self, broker: KafkaBroker, topic: str) -> None:
        self.broker, self.topic = broker, topic

    def delivery(self, timeout: float = 60.0) -> Delivery:
        return KafkaTopic(self.broker.servers, self.topic, policy(timeout), {"reconnect.backoff.max.ms": "200"})

    async def arrived(self, number: int, ids: Collection[str] = ()) -> list[Arrived]:
        return await asyncio.to_thread(self._read, number, set(ids))

    async def survives(self, *_queues: str) -> None:
        """It does."""

    def _read(self, number: int, missing: set[str]) -> list[Arrived]:
        settings = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "log_level": 0}
        consumer = Consumer({"bootstrap.servers": self.broker.servers, **settings})
        consumer.subscribe([self.topic])
        found: list[Arrived] = []
        while len(found) < number or missing:
            message = consumer.poll(120)
            assert message is not None, f"{len(found)} of {number} have come"
            if message.error() is None:
                headers = dict(message.headers())
                found.append(Arrived(from_kafka(headers, message.value()), headers, message.key().decode()))
                missing.discard(found[-1].event.id)
        consumer.close()
        return found


class RabbitMqWire:
    def __init__(self, broker: RabbitMqBroker) -> None:
        self.broker = broker
        self.exchange = f"ordering-{uuid.uuid4().hex[:8]}"
        self.queue = f"{self.exchange}-all"

    def delivery(self, timeout: float = 60.0, queues: Mapping[str, tuple[str, ...]] | None = None) -> Delivery:
        topology = Topology(self.exchange, {self.queue: ("#",)} if queues is None else queues)
        server = f"{self.broker.host}:{self.broker.port}"
        return RabbitMqExchange(
            RabbitMqConnection([server], topology, {"user": USER}, PASSWORD), policy(timeout), patience=0.2
        )

    async def arrived(self, number: int, ids: Collection[str] = ()) -> list[Arrived]:
        found: list[Arrived] = []
        missing = set(ids)
        async with asyncio.timeout(600), await aio_pika.connect(self.broker.uri) as connection:
            channel = await connection.channel()
            # None is acknowledged, so that they stay; of a quorum queue one gets 2,000 where nothing is said.
            await channel.set_qos(65_000)
            queue = await channel.declare_queue(self.queue, passive=True)
            async with queue.iterator() as messages:
                async for message in messages:
                    event = from_amqp(message.headers, message.content_type or "", message.body)
                    headers = {
                        **message.headers,
                        "correlation-id": message.correlation_id,
                        "message-id": message.message_id,
                        "timestamp": message.timestamp,
                    }
                    found.append(Arrived(event, headers, message.routing_key or ""))
                    missing.discard(event.id)
                    if len(found) >= number and not missing:
                        return found
        raise AssertionError(f"{len(found)} of {number} have come")

    async def survives(self, *queues: str) -> None:
        async def written_down() -> bool:
            return all(self.broker.keeps(queue) for queue in (self.queue, *queues))

        await until(written_down, "the queues are written down", 60)


@asynccontextmanager
async def delivering(wire: Wire, timeout: float = 60.0) -> AsyncIterator[Delivery]:
    one = wire.delivery(timeout)
    try:
        yield one
    finally:
        await one.close()

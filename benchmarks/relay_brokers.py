"""The brokers of `benchmarks.relay`: a bare producer for each, how many events it has, and who takes them from it."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import aio_pika
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from infrastructure.integration.cloud_event import CloudEvent, amqp_headers, kafka_headers
from infrastructure.outside.rabbitmq.connection import QUEUE
from tests.support.kafka_broker import KafkaBroker, kafka_jars
from tests.support.rabbitmq_broker import PASSWORD, USER, RabbitMqBroker, rabbitmq_server

PARTITIONS = 8
IN_FLIGHT = 200


class BenchedKafka:
    """A topic is the target."""

    name = "Kafka"

    def __init__(self, broker: KafkaBroker) -> None:
        self._broker = broker
        self.start, self.end = broker.start, broker.end
        self._counting: Consumer | None = None

    async def target(self) -> str:
        return await asyncio.to_thread(self._broker.create_topic, PARTITIONS)

    def destination(self, target: str, _folder: Path) -> Mapping[str, Any]:
        return {"kind": "kafka", "url": f"kafka://{self._broker.servers}/{target}"}

    async def count(self, target: str) -> int:
        return await asyncio.to_thread(self._count, target)

    async def send(self, target: str, events: list[CloudEvent]) -> None:
        await asyncio.to_thread(self._send, target, events)

    async def close(self) -> None:
        """Asks no more."""
        if self._counting is not None:
            self._counting.close()

    @asynccontextmanager
    async def arrivals(self, target: str) -> AsyncIterator[dict[str, float]]:
        """When each subject was first seen, by `perf_counter`."""
        seen: dict[str, float] = {}
        stop = threading.Event()
        following = asyncio.create_task(asyncio.to_thread(self._follow, target, seen, stop))
        try:
            yield seen
        finally:
            stop.set()
            await following

    def _count(self, target: str) -> int:
        self._counting = self._counting or self._consumer()
        parts = [TopicPartition(target, number) for number in range(PARTITIONS)]
        try:
            return sum(int(self._counting.get_watermark_offsets(part, timeout=30)[1]) for part in parts)
        except KafkaException:  # a topic that has just been made has no leader yet
            return 0

    def _send(self, target: str, events: list[CloudEvent]) -> None:
        producer = Producer({"bootstrap.servers": self._broker.servers, "enable.idempotence": True, "linger.ms": 2})
        failures: list[object] = []

        def answered(error: object, _message: object) -> None:
            if error is not None:
                failures.append(error)

        for event in events:
            key, headers = event.partitionkey.encode(), dict[str, str | bytes | None](kafka_headers(event))
            producer.produce(target, key=key, value=bytes(event.data), headers=headers, on_delivery=answered)
            producer.poll(0)
        producer.flush()
        assert not failures, failures[0]

    def _follow(self, target: str, seen: dict[str, float], stop: threading.Event) -> None:
        consumer = self._consumer()
        consumer.assign([TopicPartition(target, number, 0) for number in range(PARTITIONS)])
        while not stop.is_set():
            message = consumer.poll(0.1)
            key = None if message is None else message.key()
            if key is not None:
                seen.setdefault(key.decode(), perf_counter())
        consumer.close()

    def _consumer(self) -> Consumer:
        return Consumer(
            {"bootstrap.servers": self._broker.servers, "group.id": uuid.uuid4().hex, "fetch.wait.max.ms": 5}
        )


class BenchedRabbitMq:
    """An exchange is the target, and a queue of the same name."""

    name = "RabbitMQ"

    def __init__(self, broker: RabbitMqBroker) -> None:
        self._broker = broker
        self.start, self.end = broker.start, broker.end
        self._connection: aio_pika.abc.AbstractConnection | None = None

    async def target(self) -> str:
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self._connection = self._connection or await aio_pika.connect(self._broker.uri)
        channel = await self._connection.channel()
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(name, durable=True, arguments=dict(QUEUE))
        await queue.bind(exchange, "#")
        await channel.close()
        return name

    def destination(self, target: str, folder: Path) -> Mapping[str, Any]:
        (folder / "rabbitmq.password").write_text(PASSWORD)
        url = f"amqp://{self._broker.host}:{self._broker.port}/{target}"
        return {"kind": "rabbitmq", "url": url, "secret_file": "rabbitmq.password", "properties": {"user": USER}}

    async def count(self, target: str) -> int:
        assert self._connection is not None
        channel = await self._connection.channel()
        queue = await channel.declare_queue(target, passive=True)
        await channel.close()
        return queue.declaration_result.message_count or 0

    async def close(self) -> None:
        """Asks no more."""
        if self._connection is not None:
            await self._connection.close()

    async def send(self, target: str, events: list[CloudEvent]) -> None:
        async with await aio_pika.connect(self._broker.uri) as connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(target)
            waiting: Iterator[CloudEvent] = iter(events)

            async def work() -> None:
                for event in waiting:
                    message = aio_pika.Message(
                        bytes(event.data),
                        headers=dict(amqp_headers(event)),
                        content_type=event.datacontenttype,
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                        message_id=event.id,
                    )
                    await exchange.publish(message, event.type)

            await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))

    @asynccontextmanager
    async def arrivals(self, target: str) -> AsyncIterator[dict[str, float]]:
        """When each subject was first seen, by `perf_counter`."""
        seen: dict[str, float] = {}
        async with await aio_pika.connect(self._broker.uri) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(target)

            async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
                seen.setdefault(str(message.headers["cloudEvents_subject"]), perf_counter())
                await message.ack()

            await queue.consume(take)
            yield seen


def broker_of(kind: str, folder: Path) -> BenchedKafka | BenchedRabbitMq | None:
    """Not started yet; None where it is not installed."""
    own = folder / kind
    own.mkdir()
    if kind == "kafka":
        jars = kafka_jars()
        return None if jars is None else BenchedKafka(KafkaBroker(jars, own))
    script = rabbitmq_server()
    return None if script is None else BenchedRabbitMq(RabbitMqBroker(script, own))

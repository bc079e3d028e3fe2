"""The brokers of the tests: after SIGKILL, what was acknowledged is there."""

import aio_pika
import pytest
from confluent_kafka import Consumer, Producer

from tests.support.kafka_broker import PASSWORD, USER, KafkaBroker, kafka, package_kafka
from tests.support.rabbitmq_broker import RabbitMqBroker, package_rabbitmq, rabbitmq
from tests.support.services import until

__all__ = ["kafka", "package_kafka", "package_rabbitmq", "rabbitmq"]


@pytest.mark.slow
def test_kafka_has_what_it_acknowledged_after_a_kill_and_wants_a_password_by_tls(kafka: KafkaBroker):
    topic = kafka.create_topic(partitions=1)
    secure = {
        "bootstrap.servers": kafka.secure_servers,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": PASSWORD,
        "ssl.ca.location": str(kafka.authority),
    }
    producer = Producer(secure)
    producer.produce(topic, b"kept")
    assert producer.flush(60) == 0
    kafka.kill()
    assert not kafka.answers()
    kafka.start()
    reader = Consumer({**secure, "group.id": "tests", "auto.offset.reset": "earliest"})
    reader.subscribe([topic])
    message = reader.poll(60)
    assert message is not None
    assert message.value() == b"kept"
    reader.close()


@pytest.mark.slow
async def test_rabbitmq_has_what_it_acknowledged_after_a_kill(rabbitmq: RabbitMqBroker):
    connection = await aio_pika.connect(rabbitmq.uri)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")

        async def on_disk() -> bool:
            return rabbitmq.keeps("kept")

        await until(on_disk, "the queue is written down")
        rabbitmq.kill()
    assert not rabbitmq.answers()
    rabbitmq.start()
    async with await aio_pika.connect(rabbitmq.secure_uri + f"?cafile={rabbitmq.authority}") as again:
        queue = await (await again.channel()).declare_queue("kept", passive=True)
        async with queue.iterator(timeout=60) as messages:
            async for found in messages:
                await found.ack()
                assert found.body == b"kept"
                return

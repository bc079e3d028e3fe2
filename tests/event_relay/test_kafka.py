"""Kafka alone: what a broker of Apache Kafka refuses, and what is wrong with a configuration."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from infrastructure.outside.deliveries import EventRefused
from infrastructure.outside.kafka import KafkaTopic
from infrastructure.resilience import DependencyUnavailable
from tests.event_relay.brokered import KafkaWire, policy
from tests.event_relay.test_delivery_contract import events, in_order
from tests.infrastructure.integration.test_cloud_event import EVENT, parts
from tests.support.kafka_broker import PASSWORD, USER, KafkaBroker


async def test_a_topic_that_is_not_there_is_named(kafka: KafkaBroker):
    topic = KafkaTopic(kafka.servers, "tests.none", policy(5.0))
    with pytest.raises(DependencyUnavailable, match=r"the topic tests\.none is not there"):
        await topic.deliver(EVENT)
    await topic.close()


async def test_an_event_that_is_too_large_is_refused_and_those_in_its_batch_are_not(kafka: KafkaBroker):
    name = kafka.create_topic(1, max_message_bytes="2000")
    topic = KafkaTopic(kafka.servers, name, policy(), {"linger.ms": "50"})
    given = events("small", keys=40, each=1)
    large = msgspec.structs.replace(EVENT, data=msgspec.Raw(b'"' + b"x" * 3_000 + b'"'))
    *others, refused = await asyncio.gather(
        *(topic.deliver(event) for event in given), topic.deliver(large), return_exceptions=True
    )
    await topic.close()
    assert others == [None] * len(given)
    assert isinstance(refused, EventRefused)
    assert "MSG_SIZE_TOO_LARGE" in str(refused)
    found = await KafkaWire(kafka, name).arrived(len(given))
    assert {one.event.id for one in found} == {event.id for event in given}


async def test_nobody_there_is_said(kafka: KafkaBroker):
    topic = KafkaTopic("127.0.0.1:1", "t", policy(2.0))
    with pytest.raises(DependencyUnavailable, match="Connection refused"):
        await topic.deliver(EVENT)
    await topic.close()


SECURE = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": USER}


async def test_tls_and_a_password(kafka: KafkaBroker):
    name = kafka.create_topic()
    properties = {**SECURE, "ssl.ca.location": str(kafka.authority)}
    topic = KafkaTopic(kafka.secure_servers, name, policy(), properties, PASSWORD)
    await topic.deliver(EVENT)
    await topic.close()
    [one] = await KafkaWire(kafka, name).arrived(1)
    assert parts(one.event) == parts(EVENT)


@pytest.mark.parametrize(
    ("trusted", "password", "what"),
    [(True, "another password", "(?i)authentication"), (False, PASSWORD, "(?i)certificate|ssl")],
)
async def test_what_is_not_trusted_is_said(kafka: KafkaBroker, trusted: bool, password: str, what: str):
    properties = {**SECURE, **({"ssl.ca.location": str(kafka.authority)} if trusted else {})}
    topic = KafkaTopic(kafka.secure_servers, "t", policy(5.0), properties, password)
    with pytest.raises(DependencyUnavailable, match=what):
        await topic.deliver(EVENT)
    await topic.close()


class Failing:
    """A producer that is of no use any more after some records, as one that lost its sequence."""

    def __init__(self, settings: dict[str, Any], good: int) -> None:
        self._real = Producer(settings)
        self._good = good

    def produce(self, topic: str, **record: Any) -> None:
        if self._good <= 0:
            raise KafkaException(KafkaError(KafkaError._FATAL, "the sequence is lost", True))
        self._good -= 1
        self._real.produce(topic, **record)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def test_after_a_fatal_error_a_new_producer_goes_on_and_loses_nothing(kafka: KafkaBroker):
    made: list[Failing] = []

    def make(settings: dict[str, Any]) -> Any:
        made.append(Failing(settings, 7))
        return made[-1]

    wire = KafkaWire(kafka, kafka.create_topic())
    topic = KafkaTopic(kafka.servers, wire.topic, policy(), producer=make)
    given = events("fatal", keys=4, each=10)
    await in_order(topic, given)
    await topic.close()
    assert len(made) > 5
    found = [one.event for one in await wire.arrived(len(given))]
    for key in {event.partitionkey for event in given}:
        assert [one.id for one in found if one.partitionkey == key] == [
            one.id for one in given if one.partitionkey == key
        ]


def of(properties: dict[str, str]) -> Callable[[], KafkaTopic]:
    return lambda: KafkaTopic("127.0.0.1:1", "t", policy(), properties)


@pytest.mark.parametrize(
    ("properties", "what"),
    [
        ({"colour": "red"}, '"colour"'),
        ({"linger.ms": "soon"}, "queue.buffering.max.ms"),  # librdkafka's other name for it
        ({"acks": "0"}, "the property acks is not for the file to set"),
        ({"enable.idempotence": "false"}, "enable.idempotence is not for"),
        ({"delivery.timeout.ms": "1"}, "delivery.timeout.ms is not for"),
        ({"sasl.password": "in the file"}, "belongs into the secret_file"),
        ({"max.in.flight": "100"}, "max.in.flight"),
        ({"security.protocol": "SSL", "ssl.ca.location": "/none"}, "ssl.ca.location"),
    ],
)
def test_what_can_not_be_is_said_at_the_start(properties: dict[str, str], what: str):
    with pytest.raises(ValueError) as refused:
        of(properties)()
    assert what in str(refused.value)
    assert "in the file" not in str(refused.value).replace("for the file", "")

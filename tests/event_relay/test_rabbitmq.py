"""RabbitMQ alone: exchanges and queues, what reaches nobody, and what is wrong with a configuration."""

import datetime
import os
import signal
from typing import Any

import aio_pika
import msgspec
import pytest

from infrastructure.outside.deliveries import EventRefused
from infrastructure.outside.rabbitmq import RabbitMqConnection, RabbitMqExchange, Topology
from infrastructure.outside.rabbitmq.connection import QUEUE
from infrastructure.outside.rabbitmq.routes import Routes
from infrastructure.resilience import DependencyUnavailable
from tests.event_relay.brokered import RabbitMqWire, policy
from tests.infrastructure.integration.test_cloud_event import EVENT, parts
from tests.support.rabbitmq_broker import PASSWORD, USER, RabbitMqBroker

PAYMENT = msgspec.structs.replace(EVENT, id="payment", type="payments.payment-settled.v1")


def of(broker: RabbitMqBroker, exchange: str, timeout: float = 60.0, **given: Any) -> RabbitMqExchange:
    servers, password = given.pop("servers", [f"{broker.host}:{broker.port}"]), given.pop("password", PASSWORD)
    tls = given.pop("tls", False)
    connection = RabbitMqConnection(servers, Topology(exchange), {"user": USER, **given}, password, tls=tls)
    return RabbitMqExchange(connection, policy(timeout))


async def test_a_message_has_what_others_route_and_sort_by(rabbitmq: RabbitMqBroker):
    wire = RabbitMqWire(rabbitmq)
    delivery = wire.delivery()
    traced = msgspec.structs.replace(EVENT, traceparent="00-1-2-01")
    await delivery.deliver(traced)
    await delivery.close()
    [one] = await wire.arrived(1)
    assert one.key == "ordering.order-placed.v1"
    assert one.headers["message-id"] == EVENT.id
    assert one.headers["correlation-id"] == "c-1"
    assert one.headers["traceparent"] == "00-1-2-01"
    assert one.headers["timestamp"] == datetime.datetime(2026, 3, 2, 9, 30, tzinfo=datetime.UTC)
    assert one.headers["cloudEvents_source"] == "urn:eventfold:ordering"
    assert parts(one.event) == parts(traced)


async def test_an_exchange_that_is_not_there_is_named(rabbitmq: RabbitMqBroker):
    one = of(rabbitmq, "nowhere")
    with pytest.raises(DependencyUnavailable, match="the exchange nowhere: NOT_FOUND"):
        await one.deliver(EVENT)
    await one.close()


async def test_a_server_that_is_not_there_is_passed_over(rabbitmq: RabbitMqBroker):
    servers = ["127.0.0.1:1", f"{rabbitmq.host}:{rabbitmq.port}"]
    one = of(rabbitmq, "amq.fanout", servers=servers)
    with pytest.raises(DependencyUnavailable, match="no queue takes ordering"):  # which the second one says
        await one.deliver(EVENT)
    await one.close()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"password": "another"}, "ACCESS_REFUSED"),
        ({"vhost": "none"}, "the virtual host none is not there"),
        ({"servers": ["127.0.0.1:1", "127.0.0.1:2"]}, "127.0.0.1:1.*; 127.0.0.1:2"),
    ],
)
async def test_why_it_can_not_be_used_is_said(rabbitmq: RabbitMqBroker, given: dict[str, Any], what: str):
    one = of(rabbitmq, "amq.topic", **given)
    with pytest.raises(DependencyUnavailable, match=what):
        await one.deliver(EVENT)
    await one.close()


async def test_tls(rabbitmq: RabbitMqBroker):
    where = [rabbitmq.secure_uri.rpartition("@")[2].strip("/")]
    one = of(rabbitmq, "amq.topic", servers=where, tls=True)
    with pytest.raises(DependencyUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await one.deliver(EVENT)
    await one.close()
    wire = RabbitMqWire(rabbitmq)
    topology = Topology(wire.exchange, {wire.queue: ("#",)})
    properties = {"user": USER, "ca_file": str(rabbitmq.authority)}
    one = RabbitMqExchange(RabbitMqConnection(where, topology, properties, PASSWORD, tls=True), policy())
    await one.deliver(EVENT)
    await one.close()
    assert len(await wire.arrived(1)) == 1


async def test_queues_of_the_file_are_quorum_queues_and_an_event_without_one_waits_for_it(rabbitmq: RabbitMqBroker):
    wire = RabbitMqWire(rabbitmq)
    one = wire.delivery(queues={wire.queue: ("ordering.#",)})
    await one.deliver(EVENT)
    with pytest.raises(DependencyUnavailable, match=r"no queue takes payments\.payment-settled\.v1") as alone:
        await one.deliver(PAYMENT)
    assert alone.value.alone
    async with await aio_pika.connect(rabbitmq.uri) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(wire.queue, durable=True, arguments=dict(QUEUE))
        await queue.bind(wire.exchange, "payments.*.v1")
    await one.deliver(PAYMENT)
    await one.close()
    assert [found.event.id for found in await wire.arrived(2)] == [EVENT.id, "payment"]


async def test_an_exchange_of_another_kind_is_said(rabbitmq: RabbitMqBroker):
    topology = Topology("amq.direct", {"q": ("#",)})
    server = f"{rabbitmq.host}:{rabbitmq.port}"
    one = RabbitMqExchange(RabbitMqConnection([server], topology, {"user": USER}, PASSWORD), policy())
    with pytest.raises(DependencyUnavailable, match="received 'topic' but current is 'direct'"):
        await one.deliver(EVENT)
    await one.close()


async def test_a_queue_that_is_full_is_waited_for(rabbitmq: RabbitMqBroker):
    wire = RabbitMqWire(rabbitmq)
    arguments = {"x-max-length": 1, "x-overflow": "reject-publish"}
    async with await aio_pika.connect(rabbitmq.uri) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(wire.exchange, "topic", durable=True)
        queue = await channel.declare_queue(wire.queue, durable=True, arguments=arguments)
        await queue.bind(exchange, "#")
        one = wire.delivery(queues={})
        await one.deliver(EVENT)
        with pytest.raises(DependencyUnavailable, match="does not take the event now"):
            await one.deliver(PAYMENT)
        await queue.purge()
        await one.deliver(PAYMENT)
        await one.close()


async def test_a_broker_that_does_not_answer_is_given_up_and_asked_again(rabbitmq: RabbitMqBroker):
    wire = RabbitMqWire(rabbitmq)
    patient = wire.delivery()
    await patient.deliver(EVENT)  # so that all is declared
    short = wire.delivery(0.5)
    rabbitmq.signal(signal.SIGSTOP)
    try:
        with pytest.raises(DependencyUnavailable, match="no answer within"):
            await short.deliver(PAYMENT)
        await short.close()
    finally:
        rabbitmq.signal(signal.SIGCONT)
    await patient.deliver(PAYMENT)
    await patient.close()
    assert {found.event.id for found in await wire.arrived(2)} == {EVENT.id, "payment"}


def test_a_type_that_nobody_takes_is_waited_for_once():
    now = 0.0
    routes = Routes(60.0, lambda: now)
    routes.failed("b")
    now = 100.0
    routes.failed("b")  # nothing gets through: the queues are away
    routes.succeeded("a")
    with pytest.raises(EventRefused, match="no queue takes b"):
        routes.failed("b")
    routes.succeeded("b")
    routes.failed("b")
    now = 130.0
    routes.succeeded("a")
    routes.failed("b")
    now = 160.0
    with pytest.raises(EventRefused):
        routes.failed("b")


async def test_a_type_that_no_routing_key_can_have_is_refused():
    one = RabbitMqExchange(RabbitMqConnection(["127.0.0.1:1"], Topology("t"), {}), policy())
    with pytest.raises(EventRefused, match="routing key"):
        await one.deliver(msgspec.structs.replace(EVENT, type="é" * 200))


@pytest.mark.parametrize(
    ("servers", "properties", "tls", "what"),
    [
        (["a"], {}, False, "'a' is not of the form server:port"),
        (["a:0"], {}, False, "'a:0'"),
        (["a:1"], {"colour": "red"}, False, "no property 'colour'; there are user"),
        (["a:1"], {"heartbeat": "0"}, False, "heartbeat is '0'"),
        (["a:1"], {"ca_file": "/none"}, False, "ca_file is for amqps://"),
        (["a:1"], {"ca_file": "/none"}, True, "the certificates can't be read"),
        (["a:1"], {"ca_file": os.devnull}, True, "the certificates can't be read"),
        (["a:1"], {"cert_file": "/none"}, True, "cert_file and key_file go together"),
    ],
)
def test_what_can_not_be_is_said_at_the_start(servers: list[str], properties: dict[str, str], tls: bool, what: str):
    with pytest.raises(ValueError) as refused:
        RabbitMqConnection(servers, Topology("t"), properties, "a password", tls=tls)
    assert what in str(refused.value)
    assert "a password" not in str(refused.value)

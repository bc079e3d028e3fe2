"""The demo's reader of a broker: what the relay publishes there is read back, and the password is told to nobody."""

import asyncio
from uuid import uuid4

from event_relay.destinations import Destination
from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.outside.rabbitmq import RabbitMqConnection, RabbitMqExchange, Topology
from infrastructure.resilience import Limits, Policy
from ops.demo.broker import BrokerReader, broker_reader
from tests.event_relay.test_relay import ORDERS, mapped
from tests.support.rabbitmq_broker import PASSWORD, RabbitMqBroker

LOG = mapped(ORDERS.events)


def test_what_went_through_an_exchange_is_read_back(rabbitmq: RabbitMqBroker):
    url = f"{rabbitmq.uri}read-back-{uuid4().hex}"
    reader = broker_reader(url)
    try:
        assert reader.password == PASSWORD
        assert PASSWORD not in str(reader.destination)
        asyncio.run(published(reader, LOG))
        assert reader.read() == LOG
    finally:
        reader.close()


async def published(reader: BrokerReader, events: list[CloudEvent]) -> None:
    """As the relay does, by the destination that the demo gives it."""
    servers, exchange, _ = Destination("broker", "rabbitmq", reader.destination["url"]).rabbitmq_exchange()
    connection = RabbitMqConnection(servers, Topology(exchange), reader.destination["properties"], reader.password)
    to_exchange = RabbitMqExchange(connection, Policy("broker", Limits(timeout=60.0)))
    for one in events:
        await to_exchange.deliver(one)
    await to_exchange.close()

"""An integration event as a message of RabbitMQ."""

from aiormq.channel import Channel

from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.outside.rabbitmq.properties import LONGEST_SHORT_STRING, EventProperties

LONGEST_KEY = LONGEST_SHORT_STRING
"""The most bytes that AMQP has room for in a routing key."""


async def publish(event: CloudEvent, exchange: str, channel: Channel) -> None:
    """Returns when the broker has confirmed it. Raises PublishError where no queue takes it, DeliveryError where the
    broker does not, and CONNECTION_FAULTS."""
    await channel.basic_publish(
        bytes(event.data),
        exchange=exchange,
        routing_key=event.type,
        properties=EventProperties(event),
        mandatory=True,
        wait=False,  # for its bytes to be written; it waits for the answer
    )

"""An integration event as a message of RabbitMQ: the envelope as headers, and what those go by who route without it."""

from datetime import datetime

from aio_pika import DeliveryMode
from aiormq import spec
from aiormq.channel import Channel
from msgspec import UNSET

from infrastructure.integration.cloud_event import CloudEvent, amqp_headers

LONGEST_KEY = 255
"""The most bytes that AMQP has room for in a routing key."""


async def publish(event: CloudEvent, exchange: str, channel: Channel) -> None:
    """Returns when the broker has confirmed it. Raises PublishError where no queue takes it, DeliveryError where the
    broker does not, and CONNECTION_FAULTS."""
    await channel.basic_publish(
        bytes(event.data),
        exchange=exchange,
        routing_key=event.type,
        properties=_properties_of(event),
        mandatory=True,
        wait=False,  # for its bytes to be written; it waits for the answer
    )


def _properties_of(event: CloudEvent) -> spec.Basic.Properties:
    headers = amqp_headers(event)
    if event.traceparent is not UNSET:
        headers["traceparent"] = event.traceparent
    return spec.Basic.Properties(
        headers=dict(headers),
        content_type=event.datacontenttype,
        delivery_mode=DeliveryMode.PERSISTENT,
        message_id=event.id,
        correlation_id=None if event.correlationid is UNSET else event.correlationid,
        timestamp=datetime.fromisoformat(event.time),
        message_type=event.type,
        app_id="eventfold",
    )

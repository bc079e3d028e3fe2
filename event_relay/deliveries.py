"""What delivers to a destination, by its kind; the clients of brokers are extras of this package."""

from pathlib import Path

from event_relay.destinations import Destination
from event_relay.relay import Delivery
from infrastructure.outside.webhooks import Webhook
from infrastructure.resilience import Policy
from infrastructure.settings import InvalidSettings


def delivery_of(one: Destination, folder: Path, public_only: bool = False) -> Delivery:
    """Relative paths in the destination are from `folder`; with `public_only` webhooks go to public addresses alone.
    Raises InvalidSettings, naming the destination."""
    policy = Policy(one.consumer, one.limits)
    try:
        if one.kind == "kafka":
            return _kafka(one, folder, policy)
        if one.kind == "rabbitmq":
            return _rabbitmq(one, folder, policy)
    except ValueError as error:
        raise InvalidSettings(f"destination {one.name}: {error}") from error
    return Webhook(one.url, one.secret(folder), policy, public_only=public_only)


def _kafka(one: Destination, folder: Path, policy: Policy) -> Delivery:
    try:
        from infrastructure.outside.kafka import KafkaTopic
    except ImportError as error:
        raise _missing(one, "Kafka needs confluent-kafka", "kafka") from error
    servers, topic = one.kafka_topic()
    return KafkaTopic(servers, topic, policy, one.properties, one.password(folder))


def _rabbitmq(one: Destination, folder: Path, policy: Policy) -> Delivery:
    try:
        from infrastructure.outside.rabbitmq import RabbitMqConnection, RabbitMqExchange, Topology
    except ImportError as error:
        raise _missing(one, "RabbitMQ needs aio-pika", "rabbitmq") from error
    servers, exchange, tls = one.rabbitmq_exchange()
    files = {name: str(folder / path) for name, path in one.properties.items() if name.endswith("_file")}
    given = {**one.properties, **files}
    connection = RabbitMqConnection(servers, Topology(exchange, one.queues), given, one.password(folder), tls=tls)
    return RabbitMqExchange(connection, policy, patience=one.patience)


def _missing(one: Destination, what: str, extra: str) -> InvalidSettings:
    return InvalidSettings(f"destination {one.name}: {what}: pip install 'eventfold[{extra}]'")

"""A source's way in, and its dead letters' way out, by the kind of its broker."""

from pathlib import Path

from inbound.sources import Source
from infrastructure.inbound.messages import DeadLetterWriter, KeyedHandler, MessageSource
from infrastructure.resilience import Policy
from infrastructure.settings import InvalidSettings


def dead_letter_writer(source: Source, folder: Path) -> DeadLetterWriter:
    """Where the dead letters of a source go. Raises InvalidSettings."""
    policy = Policy(f"{source.consumer}_dead_letters", source.limits.of_policy)
    secret = source.secret(folder)
    if source.kind == "kafka":
        try:
            from infrastructure.inbound.kafka_dead_letters import KafkaDeadLetters
        except ImportError as error:
            raise _missing(source, "Kafka", "confluent-kafka") from error
        servers, _ = source.kafka_topic()
        return KafkaDeadLetters(servers, source.dead_letters, policy, _properties(source, secret))
    try:
        from infrastructure.inbound.rabbitmq_dead_letters import RabbitDeadLetters
    except ImportError as error:
        raise _missing(source, "RabbitMQ", "aio-pika") from error
    url = source.amqp_url()
    return RabbitDeadLetters(url.with_password(secret) if secret else url, source.dead_letters, policy)


def message_source(source: Source, folder: Path, handler: KeyedHandler, grace: float) -> MessageSource:
    """What consumes a source. `grace` is in seconds. Raises InvalidSettings."""
    secret = source.secret(folder)
    if source.kind == "kafka":
        from infrastructure.inbound.kafka_consumer import KafkaSource

        return KafkaSource(
            *source.kafka_topic(),
            source.consumer_group,
            handler,
            properties=_properties(source, secret),
            buffer=source.limits.buffer,
            grace=grace,
        )
    from infrastructure.inbound.rabbitmq_consumer import RabbitSource

    url = source.amqp_url()
    return RabbitSource(
        url.with_password(secret) if secret else url,
        source.queue,
        source.dead_letters,
        handler,
        declare=source.declare,
        buffer=source.limits.buffer,
        grace=grace,
    )


def _properties(source: Source, secret: str) -> dict[str, str]:
    return {**source.properties, **({"sasl.password": secret} if secret else {})}


def _missing(source: Source, what: str, package: str) -> InvalidSettings:
    return InvalidSettings(f"source {source.name}: {what} needs {package}: pip install 'eventfold[{what.lower()}]'")

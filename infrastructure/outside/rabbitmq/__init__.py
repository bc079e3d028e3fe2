"""Integration events to RabbitMQ. aio-pika is an extra of this package (`rabbitmq`)."""

from infrastructure.outside.rabbitmq.connection import RabbitMqConnection, Topology
from infrastructure.outside.rabbitmq.exchange import RabbitMqExchange

__all__ = ["RabbitMqConnection", "RabbitMqExchange", "Topology"]

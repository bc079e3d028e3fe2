"""A real read store, and real brokers, for the tests that need them."""

from tests.support.kafka_broker import kafka, kafka_session
from tests.support.rabbitmq_broker import rabbitmq, rabbitmq_session
from tests.support.read_store import read_store_database, read_store_server

__all__ = ["kafka", "kafka_session", "rabbitmq", "rabbitmq_session", "read_store_database", "read_store_server"]

"""A real read store, and real brokers, for the tests that need them."""

from tests.support.kafka_broker import kafka, package_kafka
from tests.support.rabbitmq_broker import package_rabbitmq, rabbitmq
from tests.support.read_store import read_store_database, read_store_server

__all__ = ["kafka", "package_kafka", "package_rabbitmq", "rabbitmq", "read_store_database", "read_store_server"]

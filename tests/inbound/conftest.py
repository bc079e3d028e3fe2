"""A real read store, and real brokers, for the tests that need them."""

from tests.support.read_store import read_store_database, read_store_server

__all__ = ["read_store_database", "read_store_server"]

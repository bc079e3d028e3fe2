"""A read store for the tests over real processes."""

from tests.support.read_store import read_store_database, read_store_server

__all__ = ["read_store_database", "read_store_server"]

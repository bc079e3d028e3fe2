"""A real read store for the tests that need one."""

from tests.support.read_store import read_store_database, read_store_server

__all__ = ["read_store_database", "read_store_server"]

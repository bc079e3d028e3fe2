"""What the tests of the adapters share."""

from tests.support.read_store import read_store_database, read_store_server

__all__ = ["read_store_database", "read_store_server"]

"""What the tests of upgrades share."""

from tests.support.read_store import read_store_database, read_store_server
from tests.upgrades.former import former_installed, former_tree

__all__ = ["former_installed", "former_tree", "read_store_database", "read_store_server"]

"""Runs nx-27017 with this process's arguments, after adding a fast path to it.

The fast path relies on private parts of nx-27017 and neosqlite, so it is added only to the versions that it was tested
with; any other version runs as it is. `--plain` runs without the fast path, to compare with.
"""

import gc
import sys
from importlib.metadata import version

TESTED = {"nx-27017": "0.8.1", "neosqlite": "1.17.2"}


def main() -> int:
    """Runs the server until it ends; returns its exit code."""
    plain = "--plain" in sys.argv
    if plain:
        sys.argv.remove("--plain")
    from nx_27017 import nx_27017

    if all(version(package) == tested for package, tested in TESTED.items()):
        from embedded.read_store_server import connections, transactions

        transactions.install()
        if not plain:
            connections.install()
            # What is loaded by now stays in memory: without this the garbage collector goes through it again and again,
            # which takes a tenth of a bulk write.
            gc.freeze()
    return nx_27017.main() or 0


if __name__ == "__main__":
    sys.exit(main())

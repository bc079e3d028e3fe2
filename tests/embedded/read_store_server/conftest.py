"""Two real servers side by side: one with the fast path, one without it."""

from collections.abc import Iterator

import pytest

from tests.support.read_store import ReadStoreServer


@pytest.fixture(scope="package")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadStoreServer]:
    """The server as it is run."""
    server = ReadStoreServer(tmp_path_factory.mktemp("fast"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="package")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadStoreServer]:
    """The server without the fast path."""
    server = ReadStoreServer(tmp_path_factory.mktemp("plain"), "--plain")
    server.start()
    yield server
    server.kill()

"""What the tests of the commands share."""

import pytest

from tests.support.read_store import read_store_database, read_store_server

__all__ = ["read_store_database", "read_store_server"]


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches a build looks again at once, and every change is a line."""
    monkeypatch.setattr("ops.views.build_watch.INTERVAL", 0.0)
    monkeypatch.setattr("ops.views.build_progress.LINE_EVERY", 0.0)

"""A service that counts lamps' events, as a process: `python -m tests.subscriptions.counting_service <service>`.

The service named is the one whose port setting it takes. It can't handle lamps in the cellar.
"""

import sys
from typing import Any

from litestar import Litestar

from infrastructure.http.server import run_service
from infrastructure.read_store import ReadStore
from infrastructure.settings import Settings
from subscriptions.service import create_consumer_service
from tests.subscriptions.counting import Counter
from tests.support.tiny import TINY
from tests.support.tiny.lamp import LampInstalled


def refuses(event: Any, _key: str) -> bool:
    """What fails whenever it is tried."""
    return isinstance(event, LampInstalled) and event.room == "cellar"


def counters(store: ReadStore) -> list[Counter]:
    """What the service runs."""
    return [Counter(store, refuses=refuses)]


def create(settings: Settings) -> Litestar:
    """The application."""
    return create_consumer_service("counting", TINY, counters, settings)


if __name__ == "__main__":
    sys.exit(run_service(sys.argv[1].replace("-", "_"), create))

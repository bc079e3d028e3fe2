"""The looks at the clock, where no process could show it without being stopped for seconds."""

import asyncio

from infrastructure.http.connections.connections import Connections
from infrastructure.http.connections.incoming import Incoming
from infrastructure.settings import Settings
from tests.support.services import until

LIMITS = Settings.of(http_head_timeout=1.0).connections


class Seen:
    """A connection that remembers how late it was looked at."""

    def __init__(self) -> None:
        self.late: list[float] = []

    def look_at_clock(self, _now: float, late: float) -> None:
        self.late.append(late)

    def give_way(self) -> None:
        raise AssertionError("there is room")


async def test_time_in_which_the_process_did_nothing_is_not_the_clients():
    connections, seen = Connections(LIMITS), Seen()
    connections.admit(seen)
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < 0.5:  # as long as this goes on, the event loop is not there for anybody
        pass

    async def looked() -> bool:
        return bool(seen.late)

    await until(looked, "it is looked at")
    connections.release(seen)
    assert seen.late[0] >= 0.3

    incoming = Incoming(LIMITS, began)
    incoming.begin_head(began)
    incoming.stop_clock(5.0)
    assert incoming.slowness(began + 5.9) is None
    assert incoming.slowness(began + 6.1) is not None

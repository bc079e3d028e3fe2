"""All connections of a server: how many there may be, who gives way when there are more, and the look at the clock."""

import asyncio

import structlog

from infrastructure.http.connections.metrics import OPEN, REFUSED
from infrastructure.http.connections.places import Connection, Places
from infrastructure.settings import ConnectionSettings

RESERVED = 32
"""Connections beyond the bound, for health checks and for telling others that there are too many."""

_LONGEST_BETWEEN_LOOKS = 0.25
_SECONDS_BETWEEN_WARNINGS = 60.0

log = structlog.get_logger(__name__)


class Connections:
    """The connections of one server. At the bound a new one takes the place of the one that needs it least; none has to
    give way while its request is carried out. `always_served` are the paths that are served beyond the bound too."""

    def __init__(self, limits: ConnectionSettings, always_served: frozenset[bytes] = frozenset()) -> None:
        self.limits = limits
        self.always_served = always_served
        self._places = Places(limits.max_connections)
        self._reserve = Places(RESERVED)
        times = (limits.head_timeout, limits.body_timeout, limits.write_timeout)
        self._between_looks = min(_LONGEST_BETWEEN_LOOKS, min(times) / 10)
        self._next_look: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self._next_warning = 0.0

    def admit(self, connection: Connection) -> bool:
        """Takes a new connection in. False when it is beyond the bound: then it gets only what is always served."""
        if self._next_look is None:
            self._look_later()
        admitted = self._make_room(self._places)
        if not admitted:
            self._warn()
            if not self._make_room(self._reserve):
                self._displace(next(iter(self._reserve.taken)))
        (self._places if admitted else self._reserve).take(connection)
        self._count()
        return admitted

    def at_work(self, connection: Connection) -> None:
        """It has brought a request."""
        self._of(connection).at_work(connection)

    def idle(self, connection: Connection) -> None:
        """It has had all its responses."""
        self._of(connection).idle(connection)

    def ending(self, connection: Connection) -> None:
        """It has been told that it ends."""
        self._of(connection).ending(connection)

    def release(self, connection: Connection) -> None:
        """It is gone, or as good as gone."""
        self._of(connection).release(connection)
        self._count()

    def _of(self, connection: Connection) -> Places:
        return self._reserve if connection in self._reserve.taken else self._places

    def _make_room(self, places: Places) -> bool:
        """Whether there is a free place, now or since one gave way."""
        if not places.is_full:
            return True
        dispensable = places.most_dispensable()
        if dispensable is None:
            return False
        self._displace(dispensable)
        return True

    def _displace(self, connection: Connection) -> None:
        self.release(connection)
        connection.give_way()
        REFUSED.labels("gave-way").inc()

    def _count(self) -> None:
        OPEN.set(len(self._places.taken) + len(self._reserve.taken))

    def _warn(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._next_warning:
            self._next_warning = now + _SECONDS_BETWEEN_WARNINGS
            log.warning("too many connections, all at work: others are refused", limit=self.limits.max_connections)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        late = now - self._looks_at
        for connection in (*self._places.taken, *self._reserve.taken):
            connection.look_at_clock(now, late)
        self._next_look = None
        if self._places.taken or self._reserve.taken:
            self._look_later()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._looks_at = loop.time() + self._between_looks
        self._next_look = loop.call_at(self._looks_at, self._look)

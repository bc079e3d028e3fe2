"""A number of places for connections, and which of those that hold one could do without it."""

from typing import Protocol


class Connection(Protocol):
    """One client's connection, as the whole sees it."""

    def look_at_clock(self, now: float, late: float) -> None:
        """Ends what has taken too long by `now`, the event loop's time. Called a few times a second, `late` by so many
        seconds: what this process did not see come meanwhile is not the client's fault."""

    def give_way(self) -> None:
        """Ends the connection at once, for another one's sake; it is no longer waited for."""


class Places:
    """At most `limit` connections. Those that wait are held in the order in which they began to: `ending` are told that
    they end, `new` have not brought a whole head yet, `idle` have had all their responses; the others are at work."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken: set[Connection] = set()
        self._ending: dict[Connection, None] = {}
        self._new: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}

    @property
    def is_full(self) -> bool:
        return len(self.taken) >= self.limit

    def take(self, connection: Connection) -> None:
        self.taken.add(connection)
        self._new[connection] = None

    def at_work(self, connection: Connection) -> None:
        self._new.pop(connection, None)
        self._idle.pop(connection, None)

    def idle(self, connection: Connection) -> None:
        self._idle[connection] = None

    def ending(self, connection: Connection) -> None:
        self.at_work(connection)
        self._ending[connection] = None

    def release(self, connection: Connection) -> None:
        self.taken.discard(connection)
        for waiting in (self._ending, self._new, self._idle):
            waiting.pop(connection, None)

    def most_dispensable(self) -> Connection | None:
        """One that ends, or has waited longest for its first request, or for its next; None when all are at work."""
        for waiting in (self._ending, self._new, self._idle):
            for connection in waiting:
                return connection
        return None

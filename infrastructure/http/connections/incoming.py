"""How much of a request has come, and since when: held against the limits."""

from enum import Enum, auto

from infrastructure.http.connections.refusals import (
    Refusal,
    framing,
    large_head,
    long_url,
    many_headers,
    slow_body,
    slow_head,
)
from infrastructure.settings import ConnectionSettings

_FRAMING_PER_BODY = 8
_FIRST_PART = 1 / 6


class Reading(Enum):
    """What of a request comes next."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class Incoming:
    """What is read of one connection. Times are the event loop's, in seconds.

    Parts of a head are counted when they are complete; what never becomes complete is bounded by the bytes that came.
    """

    def __init__(self, limits: ConnectionSettings, now: float) -> None:
        self.reading = Reading.NOTHING
        self._limits = limits
        self._since = now
        self._head_fed = 0
        self._head_size = 0
        self._headers = 0
        self._body_fed = 0
        self._body_size = 0

    def begin_head(self, now: float) -> None:
        """The first bytes of a request are there; `now` is when its clock starts."""
        self.reading, self._since = Reading.HEAD, now
        self._head_fed = self._head_size = self._headers = 0

    def begin_first_head(self) -> None:
        """The same, but the clock runs since the connection was made."""
        self.begin_head(self._since)

    def begin_body(self, now: float) -> None:
        self.reading, self._since = Reading.BODY, now
        self._body_fed = self._body_size = 0

    def end(self) -> None:
        """The request is complete, or nothing more is read."""
        self.reading = Reading.NOTHING

    def stop_clock(self, seconds: float) -> None:
        """Nothing could come for so long, because nothing was read."""
        self._since += seconds

    def feed(self, size: int) -> None:
        if self.reading is Reading.BODY:
            self._body_fed += size
        else:
            self._head_fed += size

    def add_url(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.max_head_bytes:
            raise long_url(self._limits)

    def add_header(self, size: int) -> None:
        self._head_size += size
        self._headers += 1
        if self._head_size > self._limits.max_head_bytes:
            raise large_head(self._limits)
        if self._headers > self._limits.max_headers:
            raise many_headers(self._limits)

    def add_body(self, size: int) -> None:
        self._body_size += size

    def check(self) -> None:
        """Raises Refusal when more has come than can be right for a head, or for what the body holds."""
        if self.reading is Reading.HEAD and self._head_fed > self._limits.max_head_bytes:
            raise large_head(self._limits)
        if self.reading is Reading.BODY and self._framing > self._limits.max_head_bytes:
            raise framing()

    @property
    def _framing(self) -> int:
        return self._body_fed - _FRAMING_PER_BODY * self._body_size

    @property
    def body_fed(self) -> int:
        """Bytes of the present body and its framing, but for those that came with its head."""
        return self._body_fed

    def is_overdue(self, now: float) -> bool:
        """Whether a request, begun or not, should have come by now."""
        return now - self._since > self._limits.head_timeout

    def slowness(self, now: float) -> Refusal | None:
        """Why what is being read has taken too long, if it has."""
        if self.reading is Reading.HEAD and self.is_overdue(now):
            return slow_head(self._limits)
        if self.reading is Reading.BODY and self._is_body_slow(now - self._since):
            return slow_body(self._limits)
        return None

    def _is_body_slow(self, taken: float) -> bool:
        timeout = self._limits.body_timeout
        return taken > timeout or (taken > timeout * _FIRST_PART and self._body_size < self._limits.body_rate * taken)

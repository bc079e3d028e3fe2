"""Where a group's events come from: a stream or `$all`. Positions are revisions or commit positions."""

from typing import NamedTuple, Protocol

from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.persistent.definition import ALL, Definition
from embedded.event_store_node.protocol.filters import EventFilter

END = -1


class SourceDeletedError(Exception):
    """The stream has a tombstone: it can't be read again."""


class Page(NamedTuple):
    """Events in order, the position of the last one looked at, how many those were, whether the source ends there."""

    events: list[LoggedEvent]
    last: int
    considered: int
    is_end: bool


class Source(Protocol):
    """A sequence of events, read from the log and recognised when they come live."""

    @property
    def stream(self) -> str | None:
        """The stream's name; None for `$all`."""

    @property
    def is_filtered(self) -> bool: ...

    def position(self, event: LoggedEvent) -> int: ...

    def accepts(self, event: LoggedEvent) -> bool:
        """Whether a filter lets the event pass."""

    def page(self, after: int, limit: int) -> Page:
        """
        At most `limit` events beyond a position.

        Raises:
            SourceDeletedError: the stream has a tombstone.
        """

    def end(self) -> int:
        """The position of the last event; the one before the first possible if there is none."""

    def text(self, position: int) -> str: ...

    def parse(self, text: str) -> int:
        """
        The position in a text.

        Raises:
            ValueError: it is none.
        """


def source_of(definition: Definition, reader: Reader) -> Source:
    """
    The source that a definition names.

    Raises:
        InvalidFilterError: the filter's regular expression is malformed.
    """
    if definition.stream == ALL:
        return AllSource(reader, definition.filter.build() if definition.filter else None)
    return StreamSource(reader, definition.stream)


class StreamSource:
    """The events of one stream, which need not exist yet, by revision."""

    is_filtered = False

    def __init__(self, reader: Reader, stream: str) -> None:
        self._reader = reader
        self.stream: str | None = stream
        self._name = stream

    def position(self, event: LoggedEvent) -> int:
        return event.revision

    def accepts(self, event: LoggedEvent) -> bool:
        return True

    def page(self, after: int, limit: int) -> Page:
        info = self._reader.stream(self._name)
        if info.is_tombstoned:
            raise SourceDeletedError(self._name)
        events = self._reader.stream_forwards(info, after + 1, limit) if info.is_found else []
        last = events[-1].revision if events else after
        return Page(events, last, len(events), is_end=not events or last >= info.last_revision)

    def end(self) -> int:
        return self._reader.stream(self._name).last_revision

    def text(self, position: int) -> str:
        return str(position)

    def parse(self, text: str) -> int:
        return int(text)


class AllSource:
    """The events of `$all` that pass a filter, by commit position."""

    stream: str | None = None

    def __init__(self, reader: Reader, event_filter: EventFilter | None) -> None:
        self._reader = reader
        self._accepts = event_filter.accepts if event_filter else None
        self.is_filtered = event_filter is not None

    def position(self, event: LoggedEvent) -> int:
        return event.position

    def accepts(self, event: LoggedEvent) -> bool:
        return bool(event.in_all) and (self._accepts is None or self._accepts(event))

    def page(self, after: int, limit: int) -> Page:
        page = self._reader.all_forwards(after + 1, limit, self._accepts)
        last = after if page.last_position is None else page.last_position
        return Page(page.events, last, page.considered, page.is_end)

    def end(self) -> int:
        return self._reader.last_position()

    def text(self, position: int) -> str:
        return f"C:{position}/P:{position}"

    def parse(self, text: str) -> int:
        return all_position(text)[0]


def all_position(text: str) -> tuple[int, int]:
    """
    The commit and prepare position in a text such as `C:5/P:5`.

    Raises:
        ValueError: it is none.
    """
    commit, separator, prepare = text.partition("/")
    if not (separator and commit.startswith("C:") and prepare.startswith("P:")):
        raise ValueError(f"'{text}' is not a position of $all")
    return int(commit[2:]), int(prepare[2:])

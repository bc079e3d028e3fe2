"""Feeds a group's buffer: page by page from the log, then live, and from the log again after falling behind."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.persistent.buffers import MessageBuffer
from embedded.event_store_node.persistent.definition import Settings
from embedded.event_store_node.persistent.message import message
from embedded.event_store_node.persistent.progress import Progress
from embedded.event_store_node.persistent.source import Source, SourceDeletedError
from embedded.event_store_node.protocol.filters import SECONDS_AT_ONCE

logger = logging.getLogger(__name__)

_DEFAULT_PAGE = 20
_MAX_PAGE = 100


class Feed:
    """
    Moves events from the source into the buffer, each once, in order. What does not fit stays in the log. Calls
    `on_fed` after it moved, and `on_deleted` when the source can't be read again.
    """

    def __init__(
        self,
        source: Source,
        reader: Reader,
        broker: Broker,
        settings: Settings,
        buffer: MessageBuffer,
        progress: Progress,
        on_fed: Callable[[], None],
        on_deleted: Callable[[], None],
    ) -> None:
        self._source = source
        self._reader = reader
        self._broker = broker
        self._settings = settings
        self._buffer = buffer
        self._progress = progress
        self._on_fed = on_fed
        self._on_deleted = on_deleted
        self._position = 0
        self._incoming: list[LoggedEvent] = []
        self._reading: asyncio.Handle | None = None
        self._is_stopped = False
        self.is_live = False
        self.last_known: int | None = None
        # Live events since the last catch-up; what the server's live buffer would hold.
        self.live_count = 0

    @property
    def is_reading(self) -> bool:
        return self._reading is not None

    def start(self, after: int, is_live: bool) -> None:
        """Begin with the events beyond a position; at the end of the source, `is_live` saves reading it."""
        self._position = after
        self.is_live = is_live
        self._broker.add(self, self._source.stream)
        self.read_more()

    def stop(self) -> None:
        self._is_stopped = True
        self._broker.remove(self, self._source.stream)
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    # Live

    def offer(self, events: Sequence[LoggedEvent]) -> None:
        """Committed events. They are taken in the loop's next turn, lest appends wait for deliveries."""
        if not self.is_live:
            return  # they will be read from the log
        if not self._incoming:
            asyncio.get_running_loop().call_soon(self._take_live)
        self._incoming.extend(events)

    def close(self) -> None:
        """The node is shutting down; the group is closed by its own owner."""

    def _take_live(self) -> None:
        events, self._incoming = self._incoming, []
        if self._is_stopped:
            return
        try:
            self._feed(events)
        except sqlite3.Error as error:  # of a link that cannot be resolved now
            self._fall_behind()
            logger.error("A persistent subscription cannot read the log: %s", error)
        self._on_fed()

    def _feed(self, events: Sequence[LoggedEvent]) -> None:
        until = time.monotonic() + SECONDS_AT_ONCE
        for event in events:
            if self._source.is_filtered and time.monotonic() >= until:
                # The filter takes its time: page by page, others have theirs in between.
                self._fall_behind()
                self.read_more()
                return
            position = self._source.position(event)
            if position <= self._position:
                continue  # it was read from the log before it was published
            if self._source.accepts(event):
                if not self._buffer.has_room_for_live:
                    self._fall_behind()
                    return
                self._add(event, position)
                self.live_count = min(self.live_count + 1, self._settings.live_buffer_size)
            elif event.in_all:
                self._progress.skip(position)
            self._position = position

    def _fall_behind(self) -> None:
        self.is_live = False
        self.live_count = 0

    def _add(self, event: LoggedEvent, position: int) -> None:
        # The event counts as taken once its link is resolved, which may fail.
        new = message(event, None, self._reader, self._settings.resolve_links)
        new.sequence = self._progress.begin(position)
        self._buffer.add_new(new)
        self.last_known = self._position = position

    # From the log

    def read_more(self) -> None:
        """Read a page soon, if the group is behind and there is room. One page to a turn of the loop."""
        if self.is_live or self._reading is not None or self._is_stopped:
            return
        if self._buffer.has_room_for(self._settings.read_batch_size):
            self._reading = asyncio.get_running_loop().call_soon(self._read_page)

    def _read_page(self) -> None:
        self._reading = None
        try:
            page = self._source.page(self._position, min(self._settings.read_batch_size or _DEFAULT_PAGE, _MAX_PAGE))
            for event in page.events:
                self._add(event, self._source.position(event))
        except SourceDeletedError:
            self._on_deleted()
            return
        except sqlite3.Error as error:
            logger.error("A persistent subscription cannot read the log: %s", error)
            return  # the next tick tries again
        if page.considered > len(page.events):
            self._progress.skip(page.last, page.considered - len(page.events))
        self._position = page.last
        if page.is_end:
            # Nothing can be committed unseen between this read and the next offer: both happen on the loop.
            self.is_live = True
        else:
            self.read_more()
        self._on_fed()

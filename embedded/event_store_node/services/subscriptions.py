"""Catch-up subscriptions: read the log to its end, then go on with what the broker passes on, for ever."""

import asyncio
import time
from collections.abc import Sequence
from uuid import uuid4

from embedded.event_store_node.log.broker import Broker, LiveBuffer
from embedded.event_store_node.log.events import DELETED_STREAM_REVISION, LoggedEvent
from embedded.event_store_node.log.reader import PAGE_EVENTS, Reader
from embedded.event_store_node.protocol.errors import stream_deleted
from embedded.event_store_node.protocol.filters import SECONDS_AT_ONCE
from embedded.event_store_node.services import read_responses
from embedded.event_store_node.services.encoder import Encoder
from embedded.event_store_node.services.read_request import At, End, ReadRequest, Start
from embedded.event_store_node.services.reads import Messages


async def subscribe_to_stream(reader: Reader, broker: Broker, request: ReadRequest, encoder: Encoder) -> Messages:
    """Messages of a subscription to one stream, which need not exist yet."""
    assert request.stream is not None
    with broker.subscription(request.stream) as live:
        subscription = _StreamSubscription(reader, live, request, encoder)
        yield [read_responses.confirmation(str(uuid4()))]
        while True:
            while not subscription.is_caught_up:
                yield subscription.catch_up()
            yield [read_responses.CAUGHT_UP]
            while (events := await live.take()) is not None:
                yield subscription.go_on(events)
                subscription.check_not_deleted()
            subscription.is_caught_up = False


class _StreamSubscription:
    def __init__(self, reader: Reader, live: LiveBuffer, request: ReadRequest, encoder: Encoder) -> None:
        assert request.stream is not None
        self._reader = reader
        self._live = live
        self._stream = request.stream
        self._encoder = encoder
        self.is_caught_up = False
        match request.start:
            case Start():
                self._revision = -1
            case End():
                self._revision = reader.stream(self._stream).last_revision
            case At(number):
                self._revision = number

    def catch_up(self) -> list[bytes]:
        # Nothing can be committed unseen between the reset and the read: both happen in one turn of the loop.
        self._live.reset()
        stream = self._reader.stream(self._stream)
        if stream.is_tombstoned:
            raise stream_deleted(self._stream)
        events = self._reader.stream_forwards(stream, self._revision + 1, PAGE_EVENTS) if stream.is_found else []
        if events:
            self._revision = events[-1].revision
        self.is_caught_up = not events or self._revision >= stream.last_revision
        return [self._encoder.encode(event) for event in events]

    def go_on(self, events: list[LoggedEvent]) -> list[bytes]:
        new = [event for event in events if event.revision > self._revision]
        if new:
            self._revision = new[-1].revision
        return [self._encoder.encode(event) for event in new]

    def check_not_deleted(self) -> None:
        if self._revision == DELETED_STREAM_REVISION:
            raise stream_deleted(self._stream)


async def subscribe_to_all(reader: Reader, broker: Broker, request: ReadRequest, encoder: Encoder) -> Messages:
    """Messages of a subscription to `$all`; with a filter, checkpoints among them."""
    subscription = _AllSubscription(reader, broker.last_position, request, encoder)
    with broker.subscription(skips=subscription.skips) as live:
        yield [read_responses.confirmation(str(uuid4()))]
        while True:
            while not subscription.is_caught_up:
                messages = subscription.catch_up(live)
                if messages:
                    yield messages
                else:
                    await asyncio.sleep(0)
            yield [*subscription.checkpoint(), read_responses.CAUGHT_UP]
            while (events := await live.take()) is not None:
                while events:
                    messages, events = subscription.go_on(events)
                    if messages:
                        yield messages
                    if events:
                        await asyncio.sleep(0)
            subscription.is_caught_up = False
            if checkpoint := subscription.checkpoint():
                yield checkpoint


class _AllSubscription:
    def __init__(self, reader: Reader, last_position: int, request: ReadRequest, encoder: Encoder) -> None:
        self._reader = reader
        self._encoder = encoder
        self._filter = request.filter
        self._accepts = request.filter.accepts if request.filter else None
        self._interval = request.checkpoint_interval
        self._considered = 0
        self.is_caught_up = False
        # The position of the last event looked at, and of the last one that the client can resume from.
        self._position = self._checkpoint = 0
        match request.start:
            case End():
                self._position = self._checkpoint = last_position
            case At(number):
                self._position = self._checkpoint = number
            case Start():
                pass

    def catch_up(self, live: LiveBuffer) -> list[bytes]:
        # Nothing can be committed unseen between the reset and the read: both happen in one turn of the loop.
        live.reset()
        # A page ends where a checkpoint is due.
        size = min(PAGE_EVENTS, self._interval - self._considered) if self._interval else PAGE_EVENTS
        page = self._reader.all_forwards(self._position + 1, size, self._accepts, page_events=size)
        if page.last_position is not None:
            self._position = page.last_position
        self._considered += page.considered
        self.is_caught_up = page.is_end
        messages = [self._encoder.encode(event) for event in page.events]
        if self._interval and self._considered >= self._interval:
            messages += self.checkpoint()
        return messages

    def skips(self, events: Sequence[LoggedEvent]) -> bool:
        """Be done with events that the client hears nothing of: most filters let few through."""
        if self._filter is None or events[0].position <= self._position:
            return False
        if self._considered + len(events) >= self._interval or self._filter.accepts_any(events):
            return False
        self._position = events[-1].position
        self._considered += len(events)
        return True

    def go_on(self, events: list[LoggedEvent]) -> tuple[list[bytes], list[LoggedEvent]]:
        """Messages for live events, and the events that a filter which takes its time did not come to."""
        messages: list[bytes] = []
        clock = time.monotonic
        until = clock() + SECONDS_AT_ONCE
        for number, event in enumerate(events):
            if number and self._accepts is not None and clock() >= until:
                return messages, events[number:]
            if event.position <= self._position:
                continue
            self._position = event.position
            self._considered += 1
            if event.in_all and (self._accepts is None or self._accepts(event)):
                messages.append(self._encoder.encode(event))
            if self._interval and self._considered >= self._interval:
                messages += self.checkpoint()
        return messages, []

    def checkpoint(self) -> list[bytes]:
        """A checkpoint at the last event looked at, unless the client has it or there is no filter."""
        self._considered = 0
        if not self._interval or self._position <= self._checkpoint:
            return []
        self._checkpoint = self._position
        return [read_responses.checkpoint(self._position)]

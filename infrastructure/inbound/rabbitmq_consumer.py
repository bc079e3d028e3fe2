"""A queue of RabbitMQ: each message is acknowledged once what came of it is stored, and not before.

One process at a time consumes it (single active consumer), so that the messages of one key stay in order; the others
stand by. Whatever was in hand when a connection ends comes again. aio-pika is an extra of this package (`rabbitmq`).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError
from yarl import URL

from infrastructure.inbound.lanes import Lanes
from infrastructure.inbound.messages import IncomingMessage, KeyedHandler
from infrastructure.inbound.rabbitmq_queues import declare_dead_letters, declare_source
from infrastructure.resilience import backoff

log = structlog.get_logger(__name__)

AWAY = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, asyncio.IncompleteReadError)
_CONNECT_TIMEOUT = 10.0
_LOOK_EVERY = 2.0


class RabbitSource:
    """`queue` at `url`; with `declare` it is made, and so is `dead_letters`, where they are not there. At most `buffer`
    messages are in hand. `grace` is in seconds: how long these may take at the end."""

    def __init__(
        self,
        url: URL,
        queue: str,
        dead_letters: str,
        handler: KeyedHandler,
        *,
        declare: bool = True,
        buffer: int = 256,
        grace: float = 10.0,
    ) -> None:
        self._url = url
        self._queue = queue
        self._dead_letters = dead_letters
        self._handler = handler
        self._declare = declare
        self._buffer = buffer
        self._grace = grace
        self.trouble: str | None = "no connection yet"
        self.lag: int | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop` is set; then what is in hand is finished, within the grace, and acknowledged."""
        delays = backoff()
        while not stop.is_set():
            try:
                if await self._session(stop):
                    delays = backoff()
            except AWAY as error:
                self._wait_because(f"{type(error).__name__}: {error}")
            if not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), next(delays))

    async def _session(self, stop: asyncio.Event) -> bool:
        """One connection; returns when it has ended, or `stop` is set."""
        connection = await aio_pika.connect(self._url, timeout=_CONNECT_TIMEOUT)
        lanes, in_hand = Lanes(), _InHand()
        try:
            channel = await connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=self._buffer)
            if self._declare:
                await declare_dead_letters(channel, self._dead_letters)
                queue = await declare_source(channel, self._queue, self._dead_letters)
            else:
                queue = await channel.declare_queue(self._queue, passive=True)
            ended = asyncio.Event()
            channel.close_callbacks.add(lambda *_: ended.set())
            connection.close_callbacks.add(lambda *_: ended.set())

            async def take(message: AbstractIncomingMessage) -> None:
                self._take(message, lanes, in_hand)

            tag = await queue.consume(take)
            log.info("a queue is consumed", queue=self._queue)
            self.trouble = None
            await self._until_ended(stop, ended, channel)
            if ended.is_set():
                self._wait_because("the connection ended, or the broker closed the channel")
            else:
                await queue.cancel(tag)
            await in_hand.finish(self._grace)
            return True
        finally:
            in_hand.released.set()
            await lanes.close()
            with contextlib.suppress(*AWAY):
                await connection.close()

    async def _until_ended(self, stop: asyncio.Event, ended: asyncio.Event, channel: AbstractChannel) -> None:
        stopping, ending = asyncio.create_task(stop.wait()), asyncio.create_task(ended.wait())
        try:
            while not (stopping.done() or ending.done()):
                found = await channel.declare_queue(self._queue, passive=True)
                self.lag = found.declaration_result.message_count
                await asyncio.wait((stopping, ending), timeout=_LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            ending.cancel()

    def _take(self, message: AbstractIncomingMessage, lanes: Lanes, in_hand: "_InHand") -> None:
        incoming = _incoming(message, self._queue)
        in_hand.begin()

        async def work() -> None:
            try:
                if not in_hand.released.is_set() and await self._handler.handle(incoming, in_hand.released):
                    with contextlib.suppress(*AWAY):  # the connection has ended: it comes again, and is known then
                        await message.ack()
            finally:
                in_hand.end()

        lanes.submit(self._handler.lane_of(incoming), work)

    def _wait_because(self, trouble: str) -> None:
        if self.trouble != trouble:
            log.warning("a queue can't be consumed", queue=self._queue, error=trouble)
        self.trouble = trouble


class _InHand:
    """The messages of one connection of which nothing is stored yet."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._number = 0

    def begin(self) -> None:
        self._number += 1
        self._idle.clear()

    def end(self) -> None:
        self._number -= 1
        if self._number == 0:
            self._idle.set()

    async def finish(self, seconds: float) -> None:
        """Begins nothing any more, and waits for what was begun, within so many seconds."""
        self.released.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)


def _incoming(message: AbstractIncomingMessage, queue: str) -> IncomingMessage:
    headers, fault = _headers(message.headers)
    return IncomingMessage(
        queue=queue,
        body=message.body,
        headers=headers,
        content_type=message.content_type or "",
        at=_millis(message.timestamp),
        header_fault=fault,
    )


def _headers(given: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    headers, fault = {}, ""
    for name, value in given.items():
        if isinstance(value, bytes):
            try:
                value = value.decode()
            except UnicodeDecodeError:
                value = value.decode("utf-8", "backslashreplace")
                fault = f"the header {name[:100]} is no UTF-8"
        elif isinstance(value, datetime):
            value = value.isoformat()
        headers[str(name)] = str(value)
    return headers, fault


def _millis(at: datetime | None) -> int:
    return 0 if at is None else round(at.timestamp() * 1000)

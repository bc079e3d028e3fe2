"""What comes through an exchange of RabbitMQ: kept in a queue of the reader's own from when it began to look."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import aio_pika
from aio_pika.exceptions import AMQPError
from yarl import URL

from infrastructure.integration.cloud_event import CloudEvent, from_amqp

T = TypeVar("T")

_TIMEOUT = 20.0


class ExchangeUnreadable(Exception):
    """The broker or the exchange can't be read; the message says why, without the password."""


class ExchangeReader:
    """Of what goes through the topic exchange from now on. The queue is nobody else's, takes every routing key, and is
    gone once the reader is closed, or has ended without that. Raises ExchangeUnreadable, as `read` does. It blocks: it
    has an event loop of its own, in a thread of its own, since the broker's heartbeats come between the calls.

    `url` names server, user, password and virtual host, as `amqp://user:password@server:5672/`.
    """

    def __init__(self, url: URL, exchange: str) -> None:
        self._url, self._exchange = url, exchange
        self._taken: list[CloudEvent] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._queue = self._run(self._bound())
        except ExchangeUnreadable:
            self._stop()
            raise

    def read(self) -> list[CloudEvent]:
        """All that came until now, in its order."""
        self._run(self._take())
        return list(self._taken)

    def close(self) -> None:
        """Ends the connection, and the queue with it."""
        try:
            self._run(self._connection.close())
        finally:
            self._stop()

    async def _bound(self) -> aio_pika.abc.AbstractQueue:
        # Not one that opens itself again: the queue would be gone, and with it what came meanwhile.
        self._connection = await aio_pika.connect(self._url, timeout=_TIMEOUT)
        try:
            channel = await self._connection.channel()
            exchange = await channel.declare_exchange(self._exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(exchange, "#")
        except BaseException:
            await self._connection.close()
            raise
        return queue

    async def _take(self) -> None:
        while (one := await self._queue.get(no_ack=True, fail=False, timeout=_TIMEOUT)) is not None:
            self._taken.append(from_amqp(one.headers, one.content_type or "", one.body))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except (AMQPError, OSError, RuntimeError, TimeoutError) as error:
            raise ExchangeUnreadable(f"exchange {self._exchange}: {error or type(error).__name__}") from error

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

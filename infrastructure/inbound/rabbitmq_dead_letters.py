"""Dead letters into a queue of RabbitMQ: each as it came, with the reason in headers beside its own, and confirmed."""

import asyncio
import contextlib

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError
from yarl import URL

from infrastructure.inbound.messages import DeadLetterNotice, IncomingMessage
from infrastructure.inbound.rabbitmq_consumer import AWAY
from infrastructure.resilience import Policy, TransientFault


class RabbitDeadLetters:
    """The queue `queue` at `url`, under `policy`. It connects at first use."""

    def __init__(self, url: URL, queue: str, policy: Policy) -> None:
        self.policy = policy
        self._url = url
        self._queue = queue
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def write(self, message: IncomingMessage, notice: DeadLetterNotice) -> None:
        """Returns when the broker has confirmed it, in the queue. Raises DependencyUnavailable."""
        await self.policy.call(lambda: self._publish(message, notice), idempotent=True)

    async def close(self) -> None:
        """Ends the connection."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(*AWAY):
                await connection.close()

    async def _publish(self, message: IncomingMessage, notice: DeadLetterNotice) -> None:
        published = aio_pika.Message(
            message.body,
            headers={**message.headers, **notice.headers},
            content_type=message.content_type or None,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            channel = await self._opened()
            await channel.default_exchange.publish(published, routing_key=self._queue, mandatory=True)
        except DeliveryError as error:
            raise TransientFault(f"the queue {self._queue} does not take it: {error}") from error
        except AWAY as error:
            raise TransientFault(f"{type(error).__name__}: {error}") from error

    async def _opened(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                await self.close()
                self._connection = await aio_pika.connect(self._url, timeout=self.policy.limits.timeout)
                self._channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
            return self._channel

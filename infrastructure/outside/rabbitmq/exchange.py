"""Integration events into a topic exchange of RabbitMQ: the binary mapping of CloudEvents, the type as routing key,
confirmed by the broker once a queue has them on disk."""

import asyncio
import re
from collections.abc import Callable, Sequence
from time import monotonic

from aio_pika.abc import AbstractExchange
from aio_pika.exceptions import DeliveryError, PublishError

from infrastructure.integration.cloud_event import CloudEvent
from infrastructure.outside.deliveries import EventRefused, Lane
from infrastructure.outside.rabbitmq.connection import CONNECTION_FAULTS, RabbitMqConnection
from infrastructure.outside.rabbitmq.lanes import RabbitMqLanes
from infrastructure.outside.rabbitmq.publishing import LONGEST_KEY, publish
from infrastructure.outside.rabbitmq.routes import Routes
from infrastructure.resilience import Policy, TransientFault

_TOO_LARGE = re.compile(r"message size (\d+) is larger than configured max size (\d+)")


class RabbitMqExchange:
    """Publishes by `connection`, under `policy`. A type that no queue takes for `patience` seconds, while other types
    get through, is refused from then on. `clock` is in seconds and never goes back."""

    def __init__(
        self,
        connection: RabbitMqConnection,
        policy: Policy,
        *,
        patience: float = 60.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.policy = policy
        self._connection = connection
        self._routes = Routes(patience, clock)

    async def deliver(self, event: CloudEvent) -> None:
        """Returns when the broker has confirmed the event: every queue that it goes to has it.

        Raises EventRefused, or DependencyUnavailable where the event is not known to have arrived.
        """
        if len(event.type.encode()) > LONGEST_KEY:
            raise EventRefused(f"the type has more than {LONGEST_KEY} bytes, which a routing key can't have")
        await self.policy.call(lambda: self._publish(event), idempotent=True)

    async def deliver_all(self, lanes: Sequence[Lane]) -> None:
        """Delivers the events of the lanes, as many lanes side by side as the policy lets calls. An event that no queue
        takes or that may be refused ends its lane.

        Raises DependencyUnavailable.
        """
        # What failed is repeated one by one, where it shows whose fault it is.
        await self.policy.call(lambda: self._publish_all(lanes), idempotent=False, bounded=True)

    async def close(self) -> None:
        """Ends the connection; nothing is under way then."""
        await self._connection.close()

    async def _publish(self, event: CloudEvent) -> None:
        exchange = await self._connection.exchange()
        try:
            await publish(event, exchange.name, await self._connection.channel())
        except PublishError:
            self._routes.failed(event.type)  # says whether it is to wait
            message = f"no queue takes {event.type} from the exchange {exchange.name}"
            raise TransientFault(message, away=False) from None
        except DeliveryError as error:
            raise TransientFault(f"the broker does not take the event now: {error}", away=False) from error
        except CONNECTION_FAULTS as error:
            await self._lost(exchange, event, error)
        except asyncio.CancelledError:
            # Whoever waits no longer may have sent it; what the connection still holds must not go out later.
            self._connection.abandon(exchange)
            raise
        self._routes.succeeded(event.type)

    async def _publish_all(self, lanes: Sequence[Lane]) -> None:
        limits = self.policy.limits
        try:
            async with asyncio.timeout(limits.timeout):
                exchange = await self._connection.exchange()
                channel = await self._connection.channel()
        except TimeoutError:
            raise TransientFault(f"no connection within {limits.timeout:g} s", sent=False) from None
        try:
            succeeded = self._routes.succeeded
            await RabbitMqLanes(lanes, limits.concurrency, exchange.name, channel, succeeded).run(limits.timeout)
        except (TransientFault, asyncio.CancelledError):
            # What the connection still holds must not go out later.
            self._connection.abandon(exchange)
            raise

    async def _lost(self, exchange: AbstractExchange, event: CloudEvent, error: BaseException) -> None:
        """Raises for what has closed the channel, which closes for all that was under way on it."""
        self._connection.abandon(exchange)
        too_large = _TOO_LARGE.search(str(error))
        if too_large and len(event.data) == int(too_large[1]):
            raise EventRefused(f"the data has {too_large[1]} bytes, and the broker takes {too_large[2]}") from error
        # A channel that is closed already is called by its address in memory.
        said = "the connection is lost" if isinstance(error, RuntimeError) else error or type(error).__name__
        raise TransientFault(f"the exchange {exchange.name}: {said}") from error

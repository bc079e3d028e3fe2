"""Many events to an exchange of RabbitMQ at once: one of each lane is under way."""

import asyncio
from collections.abc import Callable, Sequence

from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.channel import Channel

from infrastructure.outside.deliveries import Lane
from infrastructure.outside.rabbitmq.connection import CONNECTION_FAULTS
from infrastructure.outside.rabbitmq.publishing import LONGEST_KEY, publish
from infrastructure.resilience import TransientFault


class RabbitMqLanes:
    """The lanes are gone through side by side, `at_once` at a time, by `channel`. One ends with the first of its events
    that no queue takes or that may be refused; all do where the connection is lost. `succeeded` hears of every
    event that is confirmed, by its type."""

    def __init__(
        self, lanes: Sequence[Lane], at_once: int, exchange: str, channel: Channel, succeeded: Callable[[str], None]
    ) -> None:
        self._waiting = iter(lanes)
        self._at_once = min(at_once, len(lanes))
        self._exchange = exchange
        self._channel = channel
        self._succeeded = succeeded
        self._answered = 0
        self._fault: BaseException | None = None

    async def run(self, timeout: float) -> None:
        """Returns when all lanes are at their ends. Raises TransientFault where the connection is lost, and where no
        answer comes for `timeout` seconds: what is not confirmed then may still go out, unless the connection is given
        up."""
        workers = {asyncio.create_task(self._work()) for _ in range(self._at_once)}
        try:
            await self._watch(workers, timeout)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        if self._fault is not None:
            said = str(self._fault) or type(self._fault).__name__
            raise TransientFault(f"the exchange {self._exchange}: {said}")

    async def _watch(self, workers: "set[asyncio.Task[None]]", timeout: float) -> None:
        # One timer for all of them: one for each event would cost more than the event's own way.
        pending = workers
        while pending and self._fault is None:
            before = self._answered
            done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_EXCEPTION)
            if not done and self._answered == before:
                self._fault = TimeoutError(f"no answer within {timeout:g} s")

    async def _work(self) -> None:
        for lane in self._waiting:
            try:
                await self._publish(lane)
            except (*CONNECTION_FAULTS, asyncio.CancelledError) as error:
                self._fault = self._fault or error
                raise
            if self._fault is not None:
                return

    async def _publish(self, lane: Lane) -> None:
        for event in lane:
            if self._fault is not None or len(event.type.encode()) > LONGEST_KEY:
                return
            try:
                await publish(event, self._exchange, self._channel)
            except (PublishError, DeliveryError):
                self._answered += 1
                return
            self._answered += 1
            self._succeeded(event.type)

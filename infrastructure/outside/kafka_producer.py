"""A producer of confluent-kafka whose acknowledgements are awaited, and which is made anew when it is of no use any
more."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from infrastructure.resilience import TransientFault

_POLL = 0.1

Answered = Callable[[KafkaError | None], None]
"""answered(error): with None once the record is acknowledged."""


class PolledProducer:
    """With librdkafka's `settings`. Raises KafkaException where these can't be."""

    def __init__(self, settings: Mapping[str, Any], make: Callable[[dict[str, Any]], Producer]) -> None:
        self._settings = {**settings, "error_cb": self._heard}
        self._make = make
        self._producer = make(self._settings)
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None
        self._running: asyncio.AbstractEventLoop | None = None
        self._answers: deque[tuple[Producer, Answered, KafkaError | None]] = deque()
        self._is_called = False
        self.said = ""
        """What the client last said of its connections, which the error of an event does not say."""

    async def produce(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> KafkaError | None:
        """Returns None when the record is acknowledged, or why it is not. Raises TransientFault where the queue is
        full."""
        acknowledged: asyncio.Future[KafkaError | None] = asyncio.get_running_loop().create_future()
        self.begin(topic, key, value, headers, partial(_settle, acknowledged))
        return await acknowledged

    def begin(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]], answered: Answered
    ) -> None:
        """Has `answered` called by the event loop once the record is acknowledged, or known not to be. Raises
        TransientFault where the queue is full."""
        producer = self._producer

        def heard(error: KafkaError | None, _message: Any) -> None:
            self._answers.append((producer, answered, error))
            if not self._is_called:
                self._is_called = True
                loop.call_soon_threadsafe(self._hand_out)

        loop = self._loop()
        try:
            producer.produce(topic, key=key, value=value, headers=list(headers), on_delivery=heard)
        except BufferError as error:
            raise TransientFault(f"the producer's queue is full: {error}", sent=False) from error
        except KafkaException as error:
            loop.call_soon(self._hand_on, producer, answered, error.args[0])

    async def close(self) -> None:
        """Ends it; nothing is under way then."""
        self._stop.set()
        if self._poller is not None:
            await asyncio.to_thread(self._poller.join)

    def _hand_out(self) -> None:
        """Hands on all answers that have come: to wake the loop for each would cost more than the rest."""
        self._is_called = False
        while self._answers:
            self._hand_on(*self._answers.popleft())

    def _hand_on(self, producer: Producer, answered: Answered, error: KafkaError | None) -> None:
        if error is None:
            self.said = ""
        elif (error.fatal() or error.code() == KafkaError._FATAL) and self._producer is producer:
            # An idempotent producer that has lost its sequence takes nothing any more.
            self._producer = self._make(self._settings)
        answered(error)

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._running is None:
            self._running = asyncio.get_running_loop()
            self._poller = threading.Thread(target=self._call_back, name="kafka acknowledgements", daemon=True)
            self._poller.start()
        return self._running

    def _call_back(self) -> None:
        """Has acknowledgements called back, also those of a producer that has just been replaced."""
        before = self._producer
        while not self._stop.is_set():
            producer = self._producer
            if producer is not before:
                before.flush(_POLL)
                before = producer
            producer.poll(_POLL)

    def _heard(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # which says no more than the others do
            self.said = error.str()


def _settle(acknowledged: "asyncio.Future[KafkaError | None]", error: KafkaError | None) -> None:
    if not acknowledged.done():
        acknowledged.set_result(error)

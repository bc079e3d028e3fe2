"""A producer of confluent-kafka whose acknowledgements are awaited, and which is made anew when it is of no use any
more."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from infrastructure.resilience import TransientFault

_POLL = 0.1


class PolledProducer:
    """With librdkafka's `settings`. Raises KafkaException where these can't be."""

    def __init__(self, settings: Mapping[str, Any], make: Callable[[dict[str, Any]], Producer]) -> None:
        self._settings = {**settings, "error_cb": self._heard}
        self._make = make
        self._producer = make(self._settings)
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None
        self.said = ""
        """What the client last said of its connections, which the error of an event does not say."""

    async def produce(
        self, topic: str, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> KafkaError | None:
        """Returns None when the record is acknowledged, or why it is not. Raises TransientFault where the queue is
        full."""
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[KafkaError | None] = loop.create_future()

        def answered(error: KafkaError | None, _message: Any) -> None:
            loop.call_soon_threadsafe(_settle, acknowledged, error)

        producer = self._producer
        try:
            producer.produce(topic, key=key, value=value, headers=list(headers), on_delivery=answered)
        except BufferError as error:
            raise TransientFault(f"the producer's queue is full: {error}", sent=False) from error
        except KafkaException as error:
            failure: KafkaError | None = error.args[0]
        else:
            self._poll()
            failure = await acknowledged
        if failure is None:
            self.said = ""
        elif failure.fatal() or failure.code() == KafkaError._FATAL:
            self._replace(producer)
        return failure

    async def close(self) -> None:
        """Ends it; nothing is under way then."""
        self._stop.set()
        if self._poller is not None:
            await asyncio.to_thread(self._poller.join)

    def _replace(self, broken: Producer) -> None:
        """An idempotent producer that has lost its sequence takes nothing any more."""
        if self._producer is broken:
            self._producer = self._make(self._settings)

    def _poll(self) -> None:
        if self._poller is None:
            self._poller = threading.Thread(target=self._call_back, name="kafka acknowledgements", daemon=True)
            self._poller.start()

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

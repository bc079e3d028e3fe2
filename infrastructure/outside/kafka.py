"""Integration events into a topic of Kafka: the binary mapping of CloudEvents, keyed by subject, by an idempotent
producer.

confluent-kafka is an extra of this package (`kafka`).
"""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec import UNSET

from infrastructure.integration.cloud_event import CloudEvent, kafka_headers
from infrastructure.outside.deliveries import EventRefused
from infrastructure.resilience import Policy, TransientFault

_REFUSALS = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG, KafkaError.INVALID_MSG_SIZE}
)
_POLL = 0.1


class KafkaTopic:
    """A topic at `servers`, under `policy`, whose timeout also bounds how long the producer itself tries. `properties`
    are librdkafka's."""

    def __init__(self, servers: str, topic: str, policy: Policy, properties: Mapping[str, str] | None = None) -> None:
        self.policy = policy
        self._topic = topic
        self._properties = {
            **(properties or {}),
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            # What is given up here must not go out behind what comes after it: the producer gives up first.
            "message.timeout.ms": max(1, int(policy.limits.timeout * 800)),
        }
        self._producer: Producer | None = None
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None

    async def deliver(self, event: CloudEvent) -> None:
        """Returns when all replicas that are in sync have the event.

        Raises EventRefused, or DependencyUnavailable where the event is not known to have arrived.
        """
        await self.policy.call(lambda: self._produce(event), idempotent=True)

    async def close(self) -> None:
        """Ends the producer; nothing is under way then."""
        self._stop.set()
        if self._poller is not None:
            await asyncio.to_thread(self._poller.join)
        self._producer = None

    async def _produce(self, event: CloudEvent) -> None:
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[KafkaError | None] = loop.create_future()

        def answered(error: KafkaError | None, _message: Any) -> None:
            loop.call_soon_threadsafe(_settle, acknowledged, error)

        try:
            self._opened().produce(
                self._topic,
                key=event.partitionkey.encode(),
                value=bytes(event.data),
                headers=[*kafka_headers(event), *_headers(event)],
                on_delivery=answered,
            )
        except BufferError as error:
            raise TransientFault(f"the producer's queue is full: {error}", sent=False) from error
        except KafkaException as error:
            self._judge(error.args[0])
        failure = await acknowledged
        if failure is not None:
            self._judge(failure)

    def _judge(self, error: KafkaError) -> None:
        """Raises for an error."""
        if error.fatal():
            self._producer = None  # an idempotent producer that has lost its sequence is of no use any more
        if error.code() in _REFUSALS:
            raise EventRefused(f"{error.name()}: {error.str()}")
        raise TransientFault(f"{error.name()}: {error.str()}")

    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._properties)
        if self._poller is None:
            self._poller = threading.Thread(target=self._poll, name=f"kafka {self._topic}", daemon=True)
            self._poller.start()
        return self._producer

    def _poll(self) -> None:
        """Has acknowledgements called back."""
        while not self._stop.is_set():
            producer = self._producer
            if producer is None:
                self._stop.wait(_POLL)
            else:
                producer.poll(_POLL)


def _headers(event: CloudEvent) -> list[tuple[str, bytes]]:
    """For those who route without CloudEvents."""
    named = {
        "event-type": event.type,
        "correlation-id": event.correlationid,
        "timestamp": event.time,
        "traceparent": event.traceparent,
    }
    return [(name, value.encode()) for name, value in named.items() if value is not UNSET]


def _settle(acknowledged: "asyncio.Future[KafkaError | None]", error: KafkaError | None) -> None:
    if not acknowledged.done():
        acknowledged.set_result(error)

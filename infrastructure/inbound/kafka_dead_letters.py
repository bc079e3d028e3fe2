"""Dead letters into a topic of Kafka: each as it came, with the reason in headers beside its own."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from infrastructure.inbound.messages import DeadLetterNotice, IncomingMessage
from infrastructure.resilience import Policy, TransientFault

BODY_OMITTED = "eventfold-body-omitted"
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE})
_LARGEST = 64 * 1024 * 1024
_POLL = 0.1


class KafkaDeadLetters:
    """The topic `topic` at `servers`, under `policy`; `properties` are librdkafka's. A message that the broker does not
    take because of its size goes without its body: it still stands in the topic that it came from."""

    def __init__(self, servers: str, topic: str, policy: Policy, properties: Mapping[str, str] | None = None) -> None:
        self.policy = policy
        self._topic = topic
        self._properties = {
            "message.max.bytes": _LARGEST,
            **_without_consumers(properties or {}),
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 2,
            "message.timeout.ms": max(1, int(policy.limits.timeout * 800)),
        }
        self._producer: Producer | None = None
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None

    async def write(self, message: IncomingMessage, notice: DeadLetterNotice) -> None:
        """Returns when all replicas that are in sync have it. Raises DependencyUnavailable."""
        headers = {**message.headers, **notice.headers}
        try:
            await self.policy.call(lambda: self._produce(message, message.body, headers), idempotent=True)
        except _TooLarge:
            headers[BODY_OMITTED] = str(len(message.body))
            await self.policy.call(lambda: self._produce(message, None, headers), idempotent=True)

    async def close(self) -> None:
        """Ends the producer; nothing is under way then."""
        self._stop.set()
        if self._poller is not None:
            await asyncio.to_thread(self._poller.join)
        self._producer = None

    async def _produce(self, message: IncomingMessage, body: bytes | None, headers: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[KafkaError | None] = loop.create_future()

        def answered(error: KafkaError | None, _message: Any) -> None:
            loop.call_soon_threadsafe(_settle, acknowledged, error)

        try:
            self._opened().produce(
                self._topic,
                key=message.key.encode() or None,
                value=body,
                headers=[(name, value.encode("utf-8", "backslashreplace")) for name, value in headers.items()],
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
        if error.fatal():
            self._producer = None
        if error.code() in _TOO_LARGE:
            raise _TooLarge(error.str())
        raise TransientFault(f"{self._topic}: {error.name()}: {error.str()}")

    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._properties)
        if self._poller is None:
            self._poller = threading.Thread(target=self._poll, name=f"kafka {self._topic}", daemon=True)
            self._poller.start()
        return self._producer

    def _poll(self) -> None:
        while not self._stop.is_set():
            producer = self._producer
            if producer is None:
                self._stop.wait(_POLL)
            else:
                producer.poll(_POLL)


class _TooLarge(Exception):
    pass


_CONSUMERS = (
    "auto.offset.",
    "session.",
    "heartbeat.",
    "max.poll.",
    "fetch.",
    "max.partition.",
    "isolation.",
    "queued.",
    "group.",
)


def _without_consumers(properties: Mapping[str, str]) -> dict[str, str]:
    """Without what concerns consumers alone, of which a producer warns."""
    return {name: value for name, value in properties.items() if not name.startswith(_CONSUMERS)}


def _settle(acknowledged: "asyncio.Future[KafkaError | None]", error: KafkaError | None) -> None:
    if not acknowledged.done():
        acknowledged.set_result(error)

"""Integration events into a topic of Kafka: the binary mapping of CloudEvents, keyed by subject, by an idempotent
producer.

confluent-kafka is an extra of this package (`kafka`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec import UNSET

from infrastructure.integration.cloud_event import CloudEvent, kafka_headers
from infrastructure.outside.deliveries import EventRefused, Lane
from infrastructure.outside.kafka_lanes import KafkaLanes
from infrastructure.outside.kafka_producer import Answered, PolledProducer
from infrastructure.resilience import Policy, TransientFault

_REFUSALS = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG, KafkaError.INVALID_MSG_SIZE}
)
# Said of a whole batch.
_OF_THE_BATCH = KafkaError.MSG_SIZE_TOO_LARGE
_NO_TOPIC = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})
_OURS = (
    *("bootstrap.servers", "metadata.broker.list", "enable.idempotence", "acks", "request.required.acks"),
    *("message.timeout.ms", "delivery.timeout.ms", "topic.metadata.propagation.max.ms"),
)
_ELSEWHERE = {"sasl.password": "the secret_file", "ssl.key.password": "a key file that needs none"}


class KafkaTopic:
    """A topic at `servers`, under `policy`, whose timeout also bounds how long the producer itself tries. `properties`
    are librdkafka's; `password` is that of SASL. Raises ValueError where these can't be."""

    def __init__(
        self,
        servers: str,
        topic: str,
        policy: Policy,
        properties: Mapping[str, str] | None = None,
        password: str | None = None,
        *,
        producer: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self.policy = policy
        self._topic = topic
        given = properties or {}
        _check(given)
        milliseconds = policy.limits.timeout * 1000
        settings = {
            "linger.ms": 2,
            "log_level": 0,  # what it would write to stderr is in the errors
            **given,
            **({} if password is None else {"sasl.password": password}),
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            # What is given up here must not go out behind what comes after it: the producer gives up first. It looks
            # once a second for what is late.
            "message.timeout.ms": max(1, int(max(milliseconds * 0.8 - 1000, milliseconds * 0.4))),
            # So that a missing topic is named as the reason before that.
            "topic.metadata.propagation.max.ms": int(milliseconds * 0.2),
        }
        try:
            self._producer = PolledProducer(settings, producer)
            # For an event that its batch was refused with: in a batch of its own.
            self._single = PolledProducer({**settings, "batch.num.messages": 1}, producer)
        except KafkaException as error:
            raise ValueError(error.args[0].str()) from error

    async def deliver(self, event: CloudEvent) -> None:
        """Returns when all replicas that are in sync have the event.

        Raises EventRefused, or DependencyUnavailable where the event is not known to have arrived.
        """
        await self.policy.call(lambda: self._produce(event), idempotent=True)

    async def deliver_all(self, lanes: Sequence[Lane]) -> None:
        """Delivers the events of the lanes, as many lanes side by side as the policy lets calls. An event that may be
        refused ends its lane.

        Raises DependencyUnavailable.
        """

        def begin(event: CloudEvent, answered: Answered) -> None:
            key, headers = event.partitionkey.encode(), _all_headers(event)
            self._producer.begin(self._topic, key, bytes(event.data), headers, answered)

        def fault_of(error: KafkaError) -> TransientFault | None:
            fault = self._fault(error)
            return fault if isinstance(fault, TransientFault) else None

        limits = self.policy.limits
        run = KafkaLanes(lanes, limits.concurrency, begin, fault_of).run
        # What failed is repeated one by one, where it shows whose fault it is.
        await self.policy.call(lambda: run(limits.timeout), idempotent=False, bounded=True)

    async def close(self) -> None:
        """Ends the producers; nothing is under way then."""
        await self._producer.close()
        await self._single.close()

    async def _produce(self, event: CloudEvent) -> None:
        failure = await self._sent(self._producer, event)
        if failure is not None and failure.code() == _OF_THE_BATCH:
            failure = await self._sent(self._single, event)
        if failure is not None:
            raise self._fault(failure)

    async def _sent(self, producer: PolledProducer, event: CloudEvent) -> KafkaError | None:
        return await producer.produce(self._topic, event.partitionkey.encode(), bytes(event.data), _all_headers(event))

    def _fault(self, error: KafkaError) -> Exception:
        if error.code() in _REFUSALS:
            return EventRefused(f"{error.name()}: {error.str()}")
        if error.code() in _NO_TOPIC:
            return TransientFault(f"the topic {self._topic} is not there: {error.str()}")
        said = self._producer.said
        return TransientFault(f"{error.name()}: {error.str()}" + (f" ({said})" if said else ""))


def _check(properties: Mapping[str, str]) -> None:
    for name in properties:
        if name in _OURS:
            raise ValueError(f"the property {name} is not for the file to set")
        if name in _ELSEWHERE:
            raise ValueError(f"the property {name} is not for the file to set: it belongs into {_ELSEWHERE[name]}")


def _all_headers(event: CloudEvent) -> list[tuple[str, bytes]]:
    """The envelope, and what those go by who route without CloudEvents."""
    headers = kafka_headers(event)
    headers += [("event-type", event.type.encode()), ("timestamp", event.time.encode())]
    if event.correlationid is not UNSET:
        headers.append(("correlation-id", event.correlationid.encode()))
    if event.traceparent is not UNSET:
        headers.append(("traceparent", event.traceparent.encode()))
    return headers

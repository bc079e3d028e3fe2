"""What stands in a topic of Kafka: read from where it ended when somebody began to look."""

import time
import uuid
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from infrastructure.integration.cloud_event import CloudEvent, from_kafka

_TIMEOUT = 20.0


class TopicUnreadable(Exception):
    """The broker or the topic can't be read; the message says why."""


class TopicReader:
    """Of what comes into the topic from now on. Raises TopicUnreadable, as `read` does. It blocks."""

    def __init__(self, servers: str, topic: str, properties: Mapping[str, str] | None = None) -> None:
        self._consumer = Consumer(
            {
                **(properties or {}),
                "bootstrap.servers": servers,
                "group.id": f"eventfold-reader-{uuid.uuid4().hex}",
                "enable.auto.commit": False,
            }
        )
        self._topic = topic
        try:
            known = self._consumer.list_topics(topic, timeout=_TIMEOUT).topics[topic]
            if known.error is not None:
                raise TopicUnreadable(f"topic {topic}: {known.error.str()}")
            self._begin = {number: self._ends(number)[1] for number in known.partitions}
        except KafkaException as error:
            raise TopicUnreadable(f"{servers}: {error.args[0].str()}") from error

    def read(self) -> list[CloudEvent]:
        """All that came until now, each partition in its order."""
        found: list[CloudEvent] = []
        try:
            for number, begin in self._begin.items():
                _, end = self._ends(number)
                self._consumer.assign([TopicPartition(self._topic, number, begin)])
                found += self._until(end) if end > begin else []
        except KafkaException as error:
            raise TopicUnreadable(error.args[0].str()) from error
        return found

    def close(self) -> None:
        """Ends the connections."""
        self._consumer.close()

    def _until(self, end: int) -> list[CloudEvent]:
        found: list[CloudEvent] = []
        give_up = time.monotonic() + _TIMEOUT
        while self._consumer.position(self._consumer.assignment())[0].offset < end:
            message = self._consumer.poll(0.5)
            if time.monotonic() > give_up:
                raise TopicUnreadable(f"the topic could not be read to its end within {_TIMEOUT:g} s")
            if message is None:
                continue
            error = message.error()
            if error is not None:
                raise TopicUnreadable(error.str())
            give_up = time.monotonic() + _TIMEOUT
            headers = {name: value for name, value in dict(message.headers() or ()).items() if isinstance(value, bytes)}
            found.append(from_kafka(headers, message.value() or b""))
        return found

    def _ends(self, number: int) -> tuple[int, int]:
        return self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=_TIMEOUT)

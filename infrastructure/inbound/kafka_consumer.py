"""A topic of Kafka, consumed by a group: offsets are committed up to the first message that is not done.

librdkafka runs in a thread of its own, where it also tells of partitions that come and go; all else happens on the
event loop. confluent-kafka is an extra of this package (`kafka`).
"""

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from infrastructure.inbound.kafka_partition import KafkaPartition
from infrastructure.inbound.lanes import Lanes
from infrastructure.inbound.messages import IncomingMessage, KeyedHandler
from infrastructure.resilience import backoff

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_POLL = 0.1
_RELEASE = 30.0
_STATISTICS = 2_000


class KafkaSource:
    """`topic` at `servers` for the consumer group `group`; at most about `buffer` messages are in hand. `properties`
    are librdkafka's. `grace` is in seconds: how long what is in hand may take at the end."""

    def __init__(
        self,
        servers: str,
        topic: str,
        group: str,
        handler: KeyedHandler,
        *,
        properties: Mapping[str, str] | None = None,
        buffer: int = 256,
        grace: float = 10.0,
    ) -> None:
        self._topic = topic
        self._handler = handler
        self._buffer = buffer
        self._grace = grace
        self._properties: dict[str, Any] = {
            "auto.offset.reset": "earliest",
            "statistics.interval.ms": _STATISTICS,
            "client.id": "eventfold-inbound",
            **(properties or {}),
            "bootstrap.servers": servers,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "error_cb": self._erred,
            "stats_cb": self._measured,
        }
        self._lanes = Lanes()
        self._partitions: dict[int, KafkaPartition] = {}
        self._paused: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka {topic}")
        self.trouble: str | None = "no connection yet"
        self.lag: int | None = None

    @property
    def partitions(self) -> Sequence[int]:
        """Those that this process has."""
        return sorted(self._partitions)

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop` is set; then what is in hand is finished, within the grace, and committed."""
        self._loop, delays = asyncio.get_running_loop(), backoff()
        try:
            while not stop.is_set():
                try:
                    await self._consume(stop)
                except KafkaException as error:
                    self.trouble = _text(error.args[0])
                    log.error("the consumer of a topic is begun anew", topic=self._topic, error=self.trouble)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), next(delays))
        finally:
            await self._lanes.close()
            self._thread.shutdown(wait=False)

    async def _consume(self, stop: asyncio.Event) -> None:
        consumer = await self._in_thread(Consumer, self._properties)
        try:
            await self._in_thread(
                lambda: consumer.subscribe(
                    [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
                )
            )
            while not stop.is_set():
                for message in await self._in_thread(consumer.consume, _AT_ONCE, _POLL):
                    self._take(message)
                await self._in_thread(self._keep_within_buffer, consumer)
                await self._in_thread(self._commit, consumer)
        finally:
            with contextlib.suppress(KafkaException):
                await self._end(consumer)

    async def _end(self, consumer: Consumer) -> None:
        await self._released(list(self._partitions), self._grace)
        await self._in_thread(self._commit, consumer, True)
        await self._in_thread(consumer.close)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            self._erred(error)
            return
        partition, offset = message.partition(), message.offset()
        taken = self._partitions.get(partition) if partition is not None else None
        if taken is None or offset is None:
            return  # it has gone to another process meanwhile
        self.trouble = None
        incoming = _incoming(message)
        taken.begin(offset)

        async def work() -> None:
            if taken.released.is_set():
                taken.drop()
            elif await self._handler.handle(incoming, taken.released):
                taken.done(offset)
            else:
                taken.drop()

        self._lanes.submit(self._handler.lane_of(incoming), work)

    def _keep_within_buffer(self, consumer: Consumer) -> None:
        """Pauses all partitions while too much is in hand; a partition too whose commits lag far behind."""
        in_hand = sum(one.in_hand for one in self._partitions.values())
        wanted = {
            number
            for number, one in self._partitions.items()
            if in_hand >= self._buffer or one.uncommitted >= 20 * self._buffer
        }
        if in_hand >= self._buffer // 2:
            wanted |= self._paused & self._partitions.keys()
        for numbers, change in ((wanted - self._paused, consumer.pause), (self._paused - wanted, consumer.resume)):
            ours = [TopicPartition(self._topic, one) for one in numbers if one in self._partitions]
            if ours:
                change(ours)
        self._paused = wanted

    def _commit(self, consumer: Consumer, wait: bool = False) -> None:
        offsets = [
            TopicPartition(self._topic, number, offset)
            for number, one in list(self._partitions.items())
            if (offset := one.to_commit()) is not None
        ]
        self._commit_offsets(consumer, offsets, wait)

    def _commit_offsets(self, consumer: Consumer, offsets: list[TopicPartition], wait: bool) -> None:
        if not offsets:
            return
        try:
            if wait:
                consumer.commit(offsets=offsets, asynchronous=False)
            else:
                consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            for one in offsets:
                if (partition := self._partitions.get(one.partition)) is not None:
                    partition.not_committed()
            log.warning("offsets could not be committed", topic=self._topic, error=_text(error.args[0]))

    # What librdkafka calls, in its thread.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._on_loop(self._assigned([one.partition for one in partitions]))
        consumer.incremental_assign(partitions)
        log.info("partitions were assigned", topic=self._topic, partitions=[one.partition for one in partitions])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [one.partition for one in partitions]
        self._on_loop(self._released(numbers, _RELEASE))
        offsets = [
            TopicPartition(self._topic, number, offset)
            for number in numbers
            if number in self._partitions and (offset := self._partitions[number].to_commit()) is not None
        ]
        self._commit_offsets(consumer, offsets, wait=True)
        self._forget(numbers)
        consumer.incremental_unassign(partitions)
        log.info("partitions were revoked", topic=self._topic, partitions=numbers)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [one.partition for one in partitions]
        self._on_loop(self._released(numbers, 0.0))
        self._forget(numbers)
        consumer.incremental_unassign(partitions)
        log.warning("partitions were lost: others have them by now", topic=self._topic, partitions=numbers)

    def _forget(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._partitions.pop(number, None)
            self._paused.discard(number)

    def _erred(self, error: KafkaError) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            return
        said = _text(error)
        if self.trouble != said:
            log.warning("a topic can't be consumed", topic=self._topic, error=said)
        self.trouble = said

    def _measured(self, told: str) -> None:
        found = json.loads(told)
        partitions = found.get("topics", {}).get(self._topic, {}).get("partitions", {})
        brokers = found.get("brokers", {}).values()
        is_up = any(one.get("state") == "UP" and one.get("nodeid", -1) >= 0 for one in brokers)
        if self.trouble is not None and is_up and any(int(number) >= 0 for number in partitions):
            log.info("a topic can be consumed", topic=self._topic)
            self.trouble = None
        ours = [one.get("consumer_lag", -1) for number, one in partitions.items() if int(number) in self._partitions]
        self.lag = sum(ours) if ours and min(ours) >= 0 else None

    # What is done on the loop.

    async def _assigned(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._partitions[number] = KafkaPartition()

    async def _released(self, numbers: Sequence[int], seconds: float) -> None:
        """Nothing of the partitions is begun any more; waits for what is in hand, within so many seconds."""
        ours = [self._partitions[number] for number in numbers if number in self._partitions]
        for one in ours:
            one.released.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for one in ours:
                    await one.idle.wait()

    def _on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _in_thread(self, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def _incoming(message: Message) -> IncomingMessage:
    headers: dict[str, str] = {}
    fault = ""
    given: Any = message.headers() or ()
    for name, value in given:
        content = value or b""
        content = content.encode() if isinstance(content, str) else content
        try:
            headers[name] = content.decode()
        except UnicodeDecodeError:
            headers[name] = content.decode("utf-8", "backslashreplace")
            fault = f"the header {name[:100]} is no UTF-8"
    key = message.key() or b""
    _, at = message.timestamp()
    return IncomingMessage(
        queue=message.topic() or "",
        body=_bytes(message.value()),
        headers=headers,
        content_type=headers.get("content-type", ""),
        key=_bytes(key).decode("utf-8", "backslashreplace"),
        partition=-1 if message.partition() is None else int(message.partition() or 0),
        offset=int(message.offset() or 0),
        at=max(0, at),
        header_fault=fault,
    )


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def _text(error: KafkaError) -> str:
    return f"{error.name()}: {error.str()}"

"""A group: delivers the events of its source to its consumers, each until it is acknowledged or parked."""

import logging
import math
import time
from collections.abc import Callable, Iterable

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.persistent import errors
from embedded.event_store_node.persistent.buffers import MessageBuffer, Push
from embedded.event_store_node.persistent.checkpoints import Checkpoints
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.definition import Definition
from embedded.event_store_node.persistent.feed import Feed
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.parking import ParkedMessages
from embedded.event_store_node.persistent.progress import Progress
from embedded.event_store_node.persistent.replay import Replay
from embedded.event_store_node.persistent.source import END, source_of
from embedded.event_store_node.persistent.strategies import STRATEGIES
from embedded.event_store_node.persistent.system_writes import SystemWrites
from embedded.event_store_node.persistent.timings import Timings

logger = logging.getLogger(__name__)

Clock = Callable[[], float]


class Group:
    """
    One group, from its last checkpoint on. All of it happens on the event loop's thread. `clock` gives seconds
    from any start.
    """

    def __init__(
        self, definition: Definition, reader: Reader, broker: Broker, writes: SystemWrites, clock: Clock
    ) -> None:
        self.definition = definition
        self.settings = definition.settings
        self._clock = clock
        self.source = source_of(definition, reader)
        self._checkpoints = Checkpoints(definition.key, reader, writes)
        self.parked = ParkedMessages(definition.key, reader, writes)
        self.checkpoint = self._load_checkpoint()
        self._progress = Progress(self.checkpoint)
        self._checkpointed_count = 0
        self._checkpointed_at = -math.inf
        self.buffer = MessageBuffer(self.settings.history_buffer_size)
        self.replay = Replay(self.parked, self.buffer, self._dispatch)
        self.feed = Feed(
            self.source, reader, broker, self.settings, self.buffer, self._progress, self._move_on, self._source_deleted
        )
        self._strategy = STRATEGIES[self.settings.strategy]()
        self.consumers: list[Consumer] = []
        # Messages with a consumer, in the order in which they were sent, hence in which they expire.
        self.outstanding: dict[bytes, Message] = {}
        self.total_items = 0
        self.began = time.monotonic()
        self._is_closed = False
        self._is_source_deleted = False

    def _load_checkpoint(self) -> int | None:
        text = self._checkpoints.load()
        try:
            return None if text is None else self.source.parse(text)
        except ValueError:
            logger.error("The checkpoint '%s' of group %s is malformed", text, self.definition.key)
            return None

    def start(self) -> None:
        """Begin to read the source: beyond the checkpoint if there is one, else where the group is defined to."""
        if self.checkpoint is not None:
            self.feed.start(self.checkpoint, is_live=False)
            return
        first = self.source.parse(self.definition.start)
        if first != END:
            self.feed.start(first - 1, is_live=False)
        else:
            end = self.source.end()
            after = end if self.definition.end is None else self.definition.end
            self.feed.start(after, is_live=after >= end)

    def close(self) -> None:
        """
        Drop the consumers and forget everything since the last checkpoint. What consumers still answer means
        nothing: parking it would leave messages to a group of the same name.
        """
        self._is_closed = True
        self.feed.stop()
        self.replay.stop()
        self._drop_consumers()
        self.outstanding.clear()

    def delete_streams(self) -> None:
        """Delete the group's checkpoint and parked messages. The group must be closed."""
        self._checkpoints.delete()
        self.parked.delete()

    # Consumers

    def connect(self, consumer: Consumer) -> None:
        """
        Let a consumer take part.

        Raises:
            RpcError: the group has as many consumers as it may have.
        """
        limit = self.settings.max_subscriber_count
        if limit and len(self.consumers) >= limit:
            raise errors.maximum_reached(self.definition.stream, self.definition.group)
        if self.settings.extra_statistics:
            consumer.timings = Timings()
        self.consumers.append(consumer)
        self._strategy.add(consumer)
        if self._is_closed or self._is_source_deleted:
            self._drop_consumers()
        self._dispatch()

    def disconnect(self, consumer: Consumer) -> None:
        """Let a consumer go; what it has not acknowledged is delivered again."""
        if consumer not in self.consumers:
            return
        self.consumers.remove(consumer)
        self._strategy.remove(consumer)
        for message in list(consumer.in_flight.values()):
            self.outstanding.pop(message.id, None)
            consumer.release(message)
            self.buffer.add_retry(message.retried())
        self._dispatch()

    def _drop_consumers(self) -> None:
        error = errors.dropped(self.definition.stream, self.definition.group)
        for consumer in self.consumers:
            consumer.drop(error)

    # What consumers say of messages

    def acknowledge(self, ids: Iterable[bytes]) -> None:
        """Messages were handled. Ids that are not outstanding mean nothing: they may have timed out."""
        for message in self._taken_back(ids):
            self._finish(message)
        self._move_on()

    def retry(self, ids: Iterable[bytes]) -> None:
        """Deliver messages again, or park them if that was done often enough."""
        for message in self._taken_back(ids):
            self._retry_or_park(message)
        self._move_on()

    def park(self, ids: Iterable[bytes], reason: str) -> None:
        for message in self._taken_back(ids):
            self._park(message, f"Client explicitly NAK'ed message.\n{reason}")
        self._move_on()

    def replay_parked(self, stop_at: int | None) -> None:
        """Deliver parked messages again, up to `stop_at` of the parked stream, exclusive; None is all."""
        self.replay.begin(stop_at)
        self._dispatch()

    def tick(self, now: float) -> None:
        """What time brings about: messages that time out, checkpoints that are due. `now` is in clock seconds."""
        expired = []
        for message in self.outstanding.values():
            if message.expires > now:
                break
            expired.append(message.id)
        for message in self._taken_back(expired):
            self._retry_or_park(message)
        self._dispatch()
        self._save_checkpoint(by_time=True, now=now)
        self.replay.truncate()
        self.feed.read_more()

    def _taken_back(self, ids: Iterable[bytes]) -> list[Message]:
        messages = []
        for id_ in ids:
            message = self.outstanding.pop(id_, None)
            if message is not None:
                assert message.consumer is not None
                message.consumer.release(message)
                self._strategy.released(message)
                messages.append(message)
        return messages

    def _retry_or_park(self, message: Message) -> None:
        if message.retry_count < self.settings.max_retry_count:
            self.buffer.add_retry(message.retried())
        else:
            self._park(message, f"Reached retry count of {self.settings.max_retry_count}")

    def _park(self, message: Message, reason: str) -> None:
        def done(is_parked: bool) -> None:
            if is_parked:
                self._finish(message)
            elif not self._is_closed:
                logger.error("A message of group %s could not be parked; it is retried", self.definition.key)
                self.buffer.add_retry(message.retried())
            self._move_on()

        self.parked.park(message, reason, done)

    def _finish(self, message: Message) -> None:
        if message.sequence is None:
            self.replay.finish(message)
        else:
            self._progress.finish(message.sequence)

    # Moving on

    def _move_on(self) -> None:
        self._save_checkpoint(by_time=False, now=self._clock())
        self._dispatch()

    def _dispatch(self) -> None:
        if not self.consumers or self._is_closed:
            return
        self.replay.read_more()
        self.buffer.dispatch(self._push)
        self.feed.read_more()

    def _push(self, message: Message) -> Push:
        if message.id in self.outstanding:
            return Push.SKIPPED  # another event with the same id: one at a time, else an ack would be ambiguous
        result = self._strategy.push(message)
        if result is Push.SENT:
            message.expires = self._clock() + self.settings.message_timeout_ms / 1000
            self.outstanding[message.id] = message
            self.total_items += 1
        return result

    def _save_checkpoint(self, by_time: bool, now: float) -> None:
        count, position = self._progress.reached()
        difference = count - self._checkpointed_count
        if position is None or difference <= 0 or self._checkpoints.is_saving or self._is_closed:
            return
        if difference < self.settings.max_checkpoint_count and not (by_time and self._is_due(difference, now)):
            return

        def done(is_saved: bool) -> None:
            if is_saved:
                self._checkpointed_count = count
                self.checkpoint = position
                self._save_checkpoint(by_time=False, now=self._clock())

        self._checkpointed_at = now
        self._checkpoints.save(self.source.text(position), done)

    def _is_due(self, difference: int, now: float) -> bool:
        after = self.settings.checkpoint_after_ms / 1000
        return bool(after) and difference >= self.settings.min_checkpoint_count and now - self._checkpointed_at >= after

    def _source_deleted(self) -> None:
        logger.error("Group %s: the stream is deleted; its consumers are dropped", self.definition.key)
        self._is_source_deleted = True
        self._drop_consumers()

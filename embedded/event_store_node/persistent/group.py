"""A group: delivers the events of its source to its consumers, each until it is acknowledged or parked."""

import logging
import time
from collections.abc import Callable, Iterable

from embedded.event_store_node.log.broker import Broker
from embedded.event_store_node.log.reader import Reader
from embedded.event_store_node.persistent.buffers import MessageBuffer
from embedded.event_store_node.persistent.checkpoint_schedule import CheckpointSchedule
from embedded.event_store_node.persistent.checkpoints import Checkpoints
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.definition import Definition
from embedded.event_store_node.persistent.deliveries import Deliveries
from embedded.event_store_node.persistent.feed import Feed
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.parking import ParkedMessages
from embedded.event_store_node.persistent.replay import Replay
from embedded.event_store_node.persistent.source import END, source_of
from embedded.event_store_node.persistent.system_writes import SystemWrites

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
        self.source = source_of(definition, reader)
        checkpoints = Checkpoints(definition.key, reader, writes)
        self.checkpoints = CheckpointSchedule(definition, self.source, checkpoints, clock)
        self._progress = self.checkpoints.progress
        self.parked = ParkedMessages(definition.key, reader, writes)
        self.buffer = MessageBuffer(self.settings.history_buffer_size)
        self.replay = Replay(self.parked, self.buffer, self._dispatch)
        self.feed = Feed(
            self.source, reader, broker, self.settings, self.buffer, self._progress, self._move_on, self._source_deleted
        )
        self.deliveries = Deliveries(definition, clock)
        self.began = time.monotonic()
        self._is_closed = False
        self._is_source_deleted = False

    def start(self) -> None:
        """Begin to read the source: beyond the checkpoint if there is one, else where the group is defined to."""
        if self.checkpoints.position is not None:
            self.feed.start(self.checkpoints.position, is_live=False)
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
        self.checkpoints.close()
        self.feed.stop()
        self.replay.stop()
        self.deliveries.drop_consumers()
        self.deliveries.forget()

    def delete_streams(self) -> None:
        """Delete the group's checkpoint and parked messages. The group must be closed."""
        self.checkpoints.delete()
        self.parked.delete()

    # Consumers

    def connect(self, consumer: Consumer) -> None:
        """
        Let a consumer take part.

        Raises:
            RpcError: the group has as many consumers as it may have.
        """
        self.deliveries.connect(consumer)
        if self._is_closed or self._is_source_deleted:
            self.deliveries.drop_consumers()
        self._dispatch()

    def disconnect(self, consumer: Consumer) -> None:
        """Let a consumer go; what it has not acknowledged is delivered again."""
        if consumer not in self.deliveries.consumers:
            return
        for message in self.deliveries.disconnect(consumer):
            self.buffer.add_retry(message.retried())
        self._dispatch()

    # What consumers say of messages

    def acknowledge(self, ids: Iterable[bytes]) -> None:
        """Messages were handled. Ids that are not outstanding mean nothing: they may have timed out."""
        for message in self.deliveries.taken_back(ids):
            self._finish(message)
        self._move_on()

    def retry(self, ids: Iterable[bytes]) -> None:
        """Deliver messages again, or park them if that was done often enough."""
        for message in self.deliveries.taken_back(ids):
            self._retry_or_park(message)
        self._move_on()

    def park(self, ids: Iterable[bytes], reason: str) -> None:
        for message in self.deliveries.taken_back(ids):
            self._park(message, f"Client explicitly NAK'ed message.\n{reason}")
        self._move_on()

    def replay_parked(self, stop_at: int | None) -> None:
        """Deliver parked messages again, up to `stop_at` of the parked stream, exclusive; None is all."""
        self.replay.begin(stop_at)
        self._dispatch()

    def tick(self, now: float) -> None:
        """What time brings about: messages that time out, checkpoints that are due. `now` is in clock seconds."""
        for message in self.deliveries.expired(now):
            self._retry_or_park(message)
        self._dispatch()
        self.checkpoints.save_by_time(now)
        self.replay.truncate()
        self.feed.read_more()

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
        self.checkpoints.save_by_count()
        self._dispatch()

    def _dispatch(self) -> None:
        if not self.deliveries.consumers or self._is_closed:
            return
        self.replay.read_more()
        self.buffer.dispatch(self.deliveries.push)
        self.feed.read_more()

    def _source_deleted(self) -> None:
        logger.error("Group %s: the stream is deleted; its consumers are dropped", self.definition.key)
        self._is_source_deleted = True
        self.deliveries.drop_consumers()

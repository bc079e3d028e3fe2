"""What a group's consumers have in hand: sent, and neither acknowledged nor refused yet."""

from collections.abc import Callable, Iterable

from embedded.event_store_node.persistent import errors
from embedded.event_store_node.persistent.buffers import Push
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.definition import Definition
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.strategies import STRATEGIES
from embedded.event_store_node.persistent.timings import Timings


class Deliveries:
    """A group's consumers and the messages that are with them. `clock` gives seconds from any start."""

    def __init__(self, definition: Definition, clock: Callable[[], float]) -> None:
        self._definition = definition
        self._clock = clock
        self._timeout_seconds = definition.settings.message_timeout_ms / 1000
        self._strategy = STRATEGIES[definition.settings.strategy]()
        self.consumers: list[Consumer] = []
        # In the order in which they were sent, hence in which they expire.
        self.outstanding: dict[bytes, Message] = {}
        self.total_items = 0

    def connect(self, consumer: Consumer) -> None:
        """
        Let a consumer take part.

        Raises:
            RpcError: the group has as many consumers as it may have.
        """
        settings = self._definition.settings
        if settings.max_subscriber_count and len(self.consumers) >= settings.max_subscriber_count:
            raise errors.maximum_reached(self._definition.stream, self._definition.group)
        if settings.extra_statistics:
            consumer.timings = Timings()
        self.consumers.append(consumer)
        self._strategy.add(consumer)

    def disconnect(self, consumer: Consumer) -> list[Message]:
        """Let a consumer go. Returns the messages that it had."""
        self.consumers.remove(consumer)
        self._strategy.remove(consumer)
        messages = list(consumer.in_flight.values())
        for message in messages:
            self.outstanding.pop(message.id, None)
            consumer.release(message)
        return messages

    def drop_consumers(self) -> None:
        """End the consumers' calls."""
        error = errors.dropped(self._definition.stream, self._definition.group)
        for consumer in self.consumers:
            consumer.drop(error)

    def push(self, message: Message) -> Push:
        """Send a message to a consumer, if one may have it now."""
        if message.id in self.outstanding:
            return Push.SKIPPED  # another event with the same id: one at a time, else an ack would be ambiguous
        result = self._strategy.push(message)
        if result is Push.SENT:
            message.expires = self._clock() + self._timeout_seconds
            self.outstanding[message.id] = message
            self.total_items += 1
        return result

    def taken_back(self, ids: Iterable[bytes]) -> list[Message]:
        """The messages with these ids, with nobody from now on. Ids that are not outstanding mean nothing."""
        messages = []
        for id_ in ids:
            message = self.outstanding.pop(id_, None)
            if message is not None:
                assert message.consumer is not None
                message.consumer.release(message)
                self._strategy.released(message)
                messages.append(message)
        return messages

    def expired(self, now: float) -> list[Message]:
        """The messages that nobody answered for in time, taken back. `now` is in clock seconds."""
        ids = []
        for message in self.outstanding.values():
            if message.expires > now:
                break
            ids.append(message.id)
        return self.taken_back(ids)

    def forget(self) -> None:
        """What consumers still answer means nothing from now on."""
        self.outstanding.clear()

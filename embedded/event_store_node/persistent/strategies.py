"""Consumer strategies: which consumer gets the next message."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from embedded.event_store_node.persistent.buffers import Push
from embedded.event_store_node.persistent.consumer import Consumer
from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.pinned import Pinned, correlation_of, stream_of


class Strategy(Protocol):
    """Knows the group's consumers and chooses among those with room."""

    def add(self, consumer: Consumer) -> None: ...

    def remove(self, consumer: Consumer) -> None: ...

    def push(self, message: Message) -> Push: ...

    def released(self, message: Message) -> None:
        """A message that was pushed is no longer with its consumer."""


class RoundRobin:
    """Each message to the next consumer; full ones are passed over."""

    def __init__(self) -> None:
        self._consumers: deque[Consumer] = deque()

    def add(self, consumer: Consumer) -> None:
        self._consumers.append(consumer)

    def remove(self, consumer: Consumer) -> None:
        self._consumers.remove(consumer)

    def push(self, message: Message) -> Push:
        for _ in range(len(self._consumers)):
            consumer = self._consumers[0]
            self._consumers.rotate(-1)
            if consumer.has_room:
                consumer.push(message)
                return Push.SENT
        return Push.FULL

    def released(self, message: Message) -> None:
        pass


class DispatchToSingle(RoundRobin):
    """All messages to one consumer until it is full, then to the next."""

    def push(self, message: Message) -> Push:
        for _ in range(len(self._consumers)):
            if self._consumers[0].has_room:
                self._consumers[0].push(message)
                return Push.SENT
            self._consumers.rotate(-1)
        return Push.FULL


STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "DispatchToSingle": DispatchToSingle,
    "RoundRobin": RoundRobin,
    "Pinned": lambda: Pinned(stream_of),
    "PinnedByCorrelation": lambda: Pinned(correlation_of),
}

"""One consumer of a group: a Read call, with room for so many messages at a time."""

import asyncio

from embedded.event_store_node.persistent.message import Message
from embedded.event_store_node.persistent.timings import Timings
from embedded.event_store_node.protocol.errors import RpcError


class Consumer:
    """
    Holds what was pushed to a consumer until it is acknowledged. `capacity` is the consumer's buffer size: no
    more messages than that are in flight.
    """

    def __init__(self, capacity: int, connection_name: str, username: str) -> None:
        self.capacity = capacity
        self.connection_name = connection_name
        self.username = username
        self.in_flight: dict[bytes, Message] = {}
        self.total_items = 0
        self.last_total_items = 0
        self.timings: Timings | None = None
        self._outgoing: dict[bytes, Message] = {}
        self._error: RpcError | None = None
        self._changed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        return len(self.in_flight) < self.capacity

    @property
    def available_slots(self) -> int:
        return self.capacity - len(self.in_flight)

    def push(self, message: Message) -> None:
        """Send a message; there must be room."""
        message.consumer = self
        self.in_flight[message.id] = message
        self._outgoing[message.id] = message
        self.total_items += 1
        self._changed.set()
        if self.timings is not None:
            self.timings.begin(message.id)

    def release(self, message: Message) -> None:
        """The message is no longer the consumer's: it makes room, and is not sent if it was not yet."""
        self.in_flight.pop(message.id, None)
        self._outgoing.pop(message.id, None)
        if self.timings is not None:
            self.timings.end(message.id)

    def drop(self, error: RpcError) -> None:
        """End the call with an error."""
        self._error = error
        self._changed.set()

    async def take(self) -> list[Message]:
        """
        Wait for messages to send and take them all.

        Raises:
            RpcError: the consumer was dropped.
        """
        while not self._outgoing and self._error is None:
            self._changed.clear()
            await self._changed.wait()
        if self._error is not None:
            raise self._error
        messages = list(self._outgoing.values())
        self._outgoing.clear()
        return messages

"""What a group holds ready to be delivered."""

import bisect
from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from embedded.event_store_node.persistent.message import Message

# Besides the number of events that a client sets: large events are left in the log sooner.
MAX_BUFFERED_BYTES = 8 * 2**20


class Push(Enum):
    """What became of a message that was offered to the consumers."""

    SENT = auto()
    SKIPPED = auto()
    """It has to wait, others may go on."""
    FULL = auto()
    """No consumer takes anything."""


class MessageBuffer:
    """Retries in the source's order, replayed messages, then new events up to `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._retries: deque[Message] = deque()
        self._replayed: deque[Message] = deque()
        self._new: deque[Message] = deque()
        self._new_bytes = self._replayed_bytes = 0

    @property
    def retry_count(self) -> int:
        return len(self._retries) + len(self._replayed)

    @property
    def new_count(self) -> int:
        return len(self._new)

    @property
    def is_empty(self) -> bool:
        return not (self._retries or self._replayed or self._new)

    def has_room_for(self, count: int) -> bool:
        """Whether a page of `count` events may be read."""
        free = self._capacity - self.retry_count - len(self._new)
        return free > count and self._new_bytes < MAX_BUFFERED_BYTES

    @property
    def has_room_for_live(self) -> bool:
        return len(self._new) < self._capacity and self._new_bytes < MAX_BUFFERED_BYTES

    @property
    def has_room_for_replay(self) -> bool:
        return len(self._replayed) < self._capacity and self._replayed_bytes < MAX_BUFFERED_BYTES

    def add_new(self, message: Message) -> None:
        self._new.append(message)
        self._new_bytes += message.size

    def add_retry(self, message: Message) -> None:
        if message.sequence is None:
            self.add_replayed(message)
        else:
            bisect.insort(self._retries, message, key=_sequence)

    def add_replayed(self, message: Message) -> None:
        self._replayed.append(message)
        self._replayed_bytes += message.size

    def dispatch(self, push: Callable[[Message], Push]) -> None:
        """Offer what waits, in order, until the consumers are full; what is skipped keeps its place."""
        for queue in (self._retries, self._replayed, self._new):
            is_full, sent_bytes = _dispatch(queue, push)
            if queue is self._new:
                self._new_bytes -= sent_bytes
            elif queue is self._replayed:
                self._replayed_bytes -= sent_bytes
            if is_full:
                return


def _dispatch(queue: deque[Message], push: Callable[[Message], Push]) -> tuple[bool, int]:
    """Offer one queue's messages. Returns whether the consumers are full, and how many bytes were sent."""
    skipped: list[Message] = []
    sent_bytes = 0
    try:
        while queue:
            match push(queue[0]):
                case Push.SENT:
                    sent_bytes += queue.popleft().size
                case Push.SKIPPED:
                    skipped.append(queue.popleft())
                case Push.FULL:
                    return True, sent_bytes
        return False, sent_bytes
    finally:
        queue.extendleft(reversed(skipped))


def _sequence(message: Message) -> int:
    assert message.sequence is not None
    return message.sequence

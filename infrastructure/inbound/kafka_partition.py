"""What of one partition is in hand, and how far its offset may be committed."""

import asyncio


class KafkaPartition:
    """Offsets rise, with gaps. `released` is set when the partition goes; `idle` while nothing is in hand."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._is_done: dict[int, bool] = {}
        self._in_hand = 0
        self._committed: int | None = None
        self._next: int | None = None

    @property
    def in_hand(self) -> int:
        """Messages that were begun, and of which nothing is stored yet."""
        return self._in_hand

    @property
    def uncommitted(self) -> int:
        """Messages from the first that is not done."""
        return len(self._is_done)

    def begin(self, offset: int) -> None:
        """A message has come."""
        self._is_done[offset] = False
        self._in_hand += 1
        self.idle.clear()

    def done(self, offset: int) -> None:
        """What came of the message is stored."""
        self._is_done[offset] = True
        self._no_longer_in_hand()
        while self._is_done and self._is_done[first := next(iter(self._is_done))]:
            del self._is_done[first]
            self._next = max(first + 1, self._next or 0)

    def drop(self) -> None:
        """A message is left to whoever gets the partition: nothing from it on may be committed."""
        self._no_longer_in_hand()

    def to_commit(self) -> int | None:
        """The offset to be committed, the first that is not done; None where that is so already."""
        if self._next is None or self._next == self._committed:
            return None
        self._committed = self._next
        return self._next

    def not_committed(self) -> None:
        """The last commit did not succeed."""
        self._committed = None

    def _no_longer_in_hand(self) -> None:
        self._in_hand -= 1
        if self._in_hand == 0:
            self.idle.set()

"""How far a group has come: what a checkpoint may say."""

from collections import OrderedDict


class Progress:
    """
    Follows events from the moment they are taken from the source until they are done with. A checkpoint may
    stand before the first one that is not: everything up to there needs no delivery again.
    """

    def __init__(self, checkpoint: int | None) -> None:
        self._last = checkpoint
        self._next = 0
        # The events not done with: by sequence, the position of the event before.
        self._pending: OrderedDict[int, int | None] = OrderedDict()

    def begin(self, position: int) -> int:
        """An event is taken. Returns its sequence number."""
        sequence = self._next
        self._pending[sequence] = self._last
        self._last = position
        self._next += 1
        return sequence

    def skip(self, position: int, count: int = 1) -> None:
        """Events up to a position were looked at and not wanted."""
        self._last = position
        self._next += count

    def finish(self, sequence: int) -> None:
        self._pending.pop(sequence, None)

    def reached(self) -> tuple[int, int | None]:
        """How many events in a row are done with, and the position of the last of them; None if there is none."""
        if self._pending:
            return next(iter(self._pending.items()))
        return self._next, self._last

"""When a group's checkpoint is written: after so many events, or after some time."""

import logging
import math
from collections.abc import Callable

from embedded.event_store_node.persistent.checkpoints import Checkpoints
from embedded.event_store_node.persistent.definition import Definition
from embedded.event_store_node.persistent.progress import Progress
from embedded.event_store_node.persistent.source import Source

logger = logging.getLogger(__name__)


class CheckpointSchedule:
    """
    Writes down what `progress` has reached once that is due. `position` is where the last durable checkpoint
    stands, None if there is none. `clock` gives seconds from any start.
    """

    def __init__(
        self, definition: Definition, source: Source, checkpoints: Checkpoints, clock: Callable[[], float]
    ) -> None:
        self._settings = definition.settings
        self._source = source
        self._checkpoints = checkpoints
        self._clock = clock
        self.position = self._load(definition.key)
        self.progress = Progress(self.position)
        self._saved_count = 0
        self._saved_at = -math.inf
        self._is_closed = False

    @property
    def is_saving(self) -> bool:
        return self._checkpoints.is_saving

    def save_by_count(self) -> None:
        """Write a checkpoint if so many events are done with that one is due."""
        self._save(by_time=False, now=self._clock())

    def save_by_time(self, now: float) -> None:
        """Write a checkpoint if one is due at `now`, in clock seconds."""
        self._save(by_time=True, now=now)

    def close(self) -> None:
        """Write nothing more."""
        self._is_closed = True

    def delete(self) -> None:
        self._checkpoints.delete()

    def _load(self, key: str) -> int | None:
        text = self._checkpoints.load()
        try:
            return None if text is None else self._source.parse(text)
        except ValueError:
            logger.error("The checkpoint '%s' of group %s is malformed", text, key)
            return None

    def _save(self, by_time: bool, now: float) -> None:
        count, position = self.progress.reached()
        difference = count - self._saved_count
        if position is None or difference <= 0 or self._checkpoints.is_saving or self._is_closed:
            return
        if difference < self._settings.max_checkpoint_count and not (by_time and self._is_due(difference, now)):
            return

        def done(is_saved: bool) -> None:
            if is_saved:
                self._saved_count = count
                self.position = position
                self.save_by_count()

        self._saved_at = now
        self._checkpoints.save(self._source.text(position), done)

    def _is_due(self, difference: int, now: float) -> bool:
        after = self._settings.checkpoint_after_ms / 1000
        return bool(after) and difference >= self._settings.min_checkpoint_count and now - self._saved_at >= after

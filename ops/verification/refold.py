"""The fold of the log for some documents, each to exactly the position at which it was read: pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import StoredDocument
from ops.verification.differences import DOCUMENT, EVENT, POSITION, Difference, different_fields
from ops.verification.left_out import LeftOut
from read_models.model.view import View


class TooManyDocuments(Exception):
    """More documents than may be held in memory at once."""


class _Folded:
    """A document as the log has it. `behind` is the last event at or below the low watermark that is newer than the
    document read; `fault` says at which event the fold fails, and how."""

    __slots__ = ("behind", "document", "fault", "position")

    def __init__(self) -> None:
        self.document: Any = None
        self.position = -1
        self.behind = -1
        self.fault = ""


class Refold:
    """Takes the log event by event, in order, up to `until`; then tells the differences.

    `held` are the documents read before, `belongs` says which keys (and streams) are this fold's. Up to `watermark`
    every document has to be; -1: the build has yet to begin. `most` bounds the documents in memory.
    """

    def __init__(
        self,
        view: View,
        codec: EventCodec,
        belongs: Callable[[str], bool],
        held: Mapping[str, StoredDocument],
        watermark: int,
        left_out: LeftOut,
        most: float,
    ) -> None:
        self.until = max([watermark, *(one.position for one in held.values())])
        self._view = view
        self._codec = codec
        self._belongs = belongs
        self._held = held
        self._watermark = watermark
        self._left_out = left_out
        self._most = most
        self._folded: dict[str, _Folded] = {}
        self._faults: dict[str, Difference] = {}

    def take(self, stored: StoredEvent) -> None:
        """Folds the next event. Raises TooManyDocuments."""
        if not self._codec.is_ours(stored) or self._left_out.event(stored.position):
            return
        try:
            recorded = self._codec.decode(stored)
            if type(recorded.event) not in self._view.events:
                return
            keys = self._view.keys(recorded.event)
        except Exception as error:  # the view's own code and upcasters, on data that may never have been valid
            self._unreadable(stored, error)
            return
        for key in keys:
            if self._belongs(key) and not self._left_out.document(stored.position, key):
                self._fold(key, recorded)

    def differences(self) -> Iterator[Difference]:
        """Every difference, document by document."""
        yield from self._faults.values()
        nothing = _Folded()
        for key in self._held.keys() | self._folded.keys():
            yield from self._differences(key, self._folded.get(key, nothing), self._held.get(key))

    def _fold(self, key: str, recorded: RecordedEvent[Any]) -> None:
        folded = self._folded.get(key)
        if folded is None:
            if len(self._folded) >= self._most:
                raise TooManyDocuments
            folded = self._folded[key] = _Folded()
        position = recorded.position
        if position > self._target(key):
            if position <= self._watermark:
                folded.behind = position
        elif not folded.fault and position > folded.position:
            try:
                folded.document = self._view.fold(folded.document, recorded)
            except Exception as error:
                folded.fault = _must_be_parked(position, error)
            folded.position = position

    def _target(self, key: str) -> int:
        """Up to where the key's events are folded. A tombstone is as good as nothing, so it has to stand for all."""
        held = self._held.get(key)
        if held is None:
            return self._watermark
        return held.position if held.fields is not None else max(held.position, self._watermark)

    def _unreadable(self, stored: StoredEvent, error: Exception) -> None:
        # Above the watermark the projector may not have come to park it yet.
        if stored.position <= self._watermark and self._belongs(stored.stream):
            difference = Difference(stored.stream, EVENT, _must_be_parked(stored.position, error), None)
            self._faults.setdefault(stored.stream, difference)

    def _differences(self, key: str, folded: _Folded, held: StoredDocument | None) -> Iterator[Difference]:
        if folded.fault:
            yield Difference(key, EVENT, folded.fault, None)
            return
        expected = None if folded.document is None else msgspec.to_builtins(folded.document)
        found = None if held is None else held.fields
        if expected is None or found is None:
            if expected is not found:
                yield Difference(key, DOCUMENT, expected, found)
        else:
            for field, wanted, there in different_fields(expected, found):
                yield Difference(key, field, wanted, there)
        if held is None or found is None:
            return
        if folded.behind > held.position:
            yield Difference(key, POSITION, folded.behind, held.position)
        elif expected is not None and folded.position != held.position:
            yield Difference(key, POSITION, folded.position, held.position)


def _must_be_parked(position: int, error: Exception) -> str:
    return f"a dead letter for the event at {position}: {type(error).__name__}: {error}"

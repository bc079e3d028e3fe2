"""Folds the log for some documents, each up to the position at which it was read, and compares: pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import StoredDocument
from ops.views.verification.differences import DOCUMENT, EVENT, POSITION, Difference, different_fields
from ops.views.verification.left_out import LeftOut
from read_models.model.view import View


class TooManyDocuments(Exception):
    """More documents than may be in memory at once."""


class _FoldedDocument:
    """A document as the fold of the log gives it. `behind` is the position of the last event that the document read
    should have and has not; `fault` says at which event the fold fails, and how."""

    __slots__ = ("behind", "document", "fault", "position")

    def __init__(self) -> None:
        self.document: Any = None
        self.position = -1
        self.behind = -1
        self.fault = ""


class Refold:
    """Takes the log event by event, in order, up to `until`; then gives the differences.

    `documents` are those read before, by key; `belongs` says which keys (and streams) this fold covers. Every document
    must have the events up to `watermark`; -1: none was folded yet. `max_documents` bounds the documents in memory.
    """

    def __init__(
        self,
        view: View,
        codec: EventCodec,
        belongs: Callable[[str], bool],
        documents: Mapping[str, StoredDocument],
        watermark: int,
        left_out: LeftOut,
        max_documents: float,
    ) -> None:
        self.until = max([watermark, *(one.position for one in documents.values())])
        self._view = view
        self._codec = codec
        self._belongs = belongs
        self._documents = documents
        self._watermark = watermark
        self._left_out = left_out
        self._max_documents = max_documents
        self._folded: dict[str, _FoldedDocument] = {}
        self._faults: dict[str, Difference] = {}

    def take(self, stored: StoredEvent) -> None:
        """Folds the next event. Raises TooManyDocuments."""
        self._left_out.compare(stored)
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
        empty = _FoldedDocument()
        for key in self._documents.keys() | self._folded.keys():
            yield from self._differences(key, self._folded.get(key, empty), self._documents.get(key))

    def _fold(self, key: str, recorded: RecordedEvent[Any]) -> None:
        folded = self._folded.get(key)
        if folded is None:
            if len(self._folded) >= self._max_documents:
                raise TooManyDocuments
            folded = self._folded[key] = _FoldedDocument()
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
        """Up to where the key's events are folded: the document's position, and at least the watermark where nothing is
        stored, or a tombstone, because both are right only if all events up to there come to nothing."""
        document = self._documents.get(key)
        if document is None:
            return self._watermark
        return document.position if document.fields is not None else max(document.position, self._watermark)

    def _unreadable(self, stored: StoredEvent, error: Exception) -> None:
        # Above the watermark the projector may still have to park it.
        if stored.position <= self._watermark and self._belongs(stored.stream):
            difference = Difference(stored.stream, EVENT, _must_be_parked(stored.position, error), None)
            self._faults.setdefault(stored.stream, difference)

    def _differences(self, key: str, folded: _FoldedDocument, document: StoredDocument | None) -> Iterator[Difference]:
        if folded.fault:
            yield Difference(key, EVENT, folded.fault, None)
            return
        expected = None if folded.document is None else msgspec.to_builtins(folded.document)
        found = None if document is None else document.fields
        if expected is None or found is None:
            if expected is not found:
                yield Difference(key, DOCUMENT, expected, found)
        else:
            for field, wanted, actual in different_fields(expected, found):
                yield Difference(key, field, wanted, actual)
        if document is None or found is None:
            return
        if folded.behind > document.position:
            yield Difference(key, POSITION, folded.behind, document.position)
        elif expected is not None and folded.position != document.position:
            yield Difference(key, POSITION, folded.position, document.position)


def _must_be_parked(position: int, error: Exception) -> str:
    return f"a dead letter for the event at {position}: {type(error).__name__}: {error}"

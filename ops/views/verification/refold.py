"""Folds the log for the documents of one view, each up to the position at which it was read, and compares."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from infrastructure.event_store import StoredEvent
from infrastructure.read_store import StoredDocument
from ops.views.verification.differences import DOCUMENT, EVENT, POSITION, Difference, different_fields
from ops.views.verification.fingerprints import fingerprint
from ops.views.verification.left_out import LeftOut
from ops.views.verification.unfinished import FoldedDocument, UnfinishedDocuments
from read_models.model.view import MissingBeginning, View

_NOTHING = FoldedDocument()


class ReadDocument(Struct, gc=False):
    """A document as it was read: its position, and the fingerprint of its fields (None: it was deleted). `equal` says
    that the fold has come to the same at exactly that position."""

    position: int
    fields: bytes | None
    equal: bool = False

    @classmethod
    def of(cls, stored: StoredDocument) -> "ReadDocument":
        return cls(stored.position, None if stored.fields is None else fingerprint(stored.fields))


class Refold:
    """Takes the log event by event, in order, up to `until`; then says which documents differ.

    `documents` are those read before, by key; `belongs` says which keys (and streams) this fold covers. Every document
    must have the events up to `watermark`; -1: none was folded yet. A document that is equal is forgotten at once but
    for its fingerprint, so only those are held whole that still wait for events, in `unfinished`.
    """

    def __init__(
        self,
        view: View,
        belongs: Callable[[str], bool],
        documents: dict[str, ReadDocument],
        watermark: int,
        left_out: LeftOut,
        max_unfinished: int,
    ) -> None:
        self.view = view
        self.documents = documents
        self.until = max([watermark, *(one.position for one in documents.values())])
        self._keys_of = view.keys_of
        self._belongs = belongs
        self._watermark = watermark
        self._left_out = left_out
        self._unfinished = UnfinishedDocuments(view.document, max_unfinished)
        self._faults: dict[str, str] = {}
        self._behind: dict[str, int] = {}
        self._unreadable: dict[str, Difference] = {}

    def take(self, stored: StoredEvent, recorded: RecordedEvent[Any]) -> None:
        """Folds the next event, which is of one of the view's types. Raises NoRoom."""
        position = recorded.position
        self._left_out.compare(stored)
        if self._left_out.event(position):
            return
        try:
            keys = self._keys_of(recorded.event)
        except Exception as error:  # the view's own code, on data that may never have been valid
            self.unreadable(stored, error)
            return
        for key in keys:
            if self._belongs(key) and not self._left_out.document(position, key):
                self._fold(key, recorded)

    def unreadable(self, stored: StoredEvent, error: Exception) -> None:
        """The next event can't be decoded, or its keys not be found: it must be a dead letter."""
        self._left_out.compare(stored)
        # Above the watermark the projector may still have to park it.
        if self._left_out.event(stored.position) or stored.position > self._watermark:
            return
        if self._belongs(stored.stream):
            difference = Difference(stored.stream, EVENT, _must_be_parked(stored.position, error), None)
            self._unreadable.setdefault(stored.stream, difference)

    def differing(self) -> Iterator[str]:
        """The key of every document that may differ, and the stream of every event that is unreadable; some twice.

        Raises NoRoom.
        """
        yield from self._unreadable
        yield from self._differing_documents()

    def differences(self, documents: Mapping[str, StoredDocument]) -> Iterator[Difference]:
        """Every difference, document by document; `documents` are those of the fingerprints. Raises NoRoom."""
        yield from self._unreadable.values()
        for key in {*self._differing_documents()}:
            yield from self._differences(key, documents.get(key))

    def close(self) -> None:
        """Forgets the documents."""
        self._unfinished.close()

    def _differing_documents(self) -> Iterator[str]:
        yield from self._faults
        yield from self._behind
        for key, one in self.documents.items():
            if one.fields is not None and not one.equal:
                yield key
        for key, folded in self._unfinished.items():
            if folded.document is not None:
                yield key

    def _fold(self, key: str, recorded: RecordedEvent[Any]) -> None:
        read = self.documents.get(key)
        position = recorded.position
        if position > self._target(read):
            if position <= self._watermark:
                self._behind[key] = position
            return
        if key in self._faults or (read is not None and read.equal):
            return
        folded = self._unfinished.get(key) or _NOTHING
        if position <= folded.position:
            return
        try:
            document = self.view.after(folded.document, recorded)
        except MissingBeginning as error:
            if recorded.revision > 0:  # cut off and gone from the log: left out, as the projector leaves it out
                return
            self._faults[key] = _must_be_parked(position, error)
            self._unfinished.remove(key)
            return
        except Exception as error:
            self._faults[key] = _must_be_parked(position, error)
            self._unfinished.remove(key)
            return
        if read is not None and read.fields and position == read.position and fingerprint(document) == read.fields:
            read.equal = True
            self._unfinished.remove(key)
        else:
            self._unfinished.put(key, FoldedDocument(document, position))

    def _target(self, read: ReadDocument | None) -> int:
        """Up to where the events of a key are folded: the document's position, and at least the watermark where nothing
        is stored, or a tombstone, because both are right only if all events up to there come to nothing."""
        if read is None:
            return self._watermark
        return read.position if read.fields is not None else max(read.position, self._watermark)

    def _differences(self, key: str, document: StoredDocument | None) -> Iterator[Difference]:
        if key in self._faults:
            yield Difference(key, EVENT, self._faults[key], None)
            return
        read = self.documents.get(key)
        found = None if document is None else document.fields
        position = found is not None and document is not None and document.position
        if read is None or not read.equal:
            folded = self._unfinished.get(key) or _NOTHING
            expected = None if folded.document is None else msgspec.to_builtins(folded.document)
            if expected is None or found is None:
                if expected is not found:
                    yield Difference(key, DOCUMENT, expected, found)
            else:
                for field, wanted, actual in different_fields(expected, found):
                    yield Difference(key, field, wanted, actual)
                if key not in self._behind and folded.position != position:
                    yield Difference(key, POSITION, folded.position, position)
        if key in self._behind and found is not None:
            yield Difference(key, POSITION, self._behind[key], position)


def _must_be_parked(position: int, error: Exception) -> str:
    return f"a dead letter for the event at {position}: {type(error).__name__}: {error}"

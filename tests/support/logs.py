"""Logs in memory, for any domain: events as they stand in the store, and what a view must come to."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from infrastructure.application import Application
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import StoredEvent
from read_models.model.view import MissingBeginning, View
from tests.support.memory_keys import MEMORY_KEYS, at_once, decoded_at_once


class LogBuilder:
    """Appends events to a log in memory, with positions that have gaps, as in the real store."""

    def __init__(self, codec: EventCodec) -> None:
        self.events: list[StoredEvent] = []
        self._codec = codec
        self._revisions: dict[str, int] = {}

    def add(self, stream: str, event: Any) -> StoredEvent:
        """A domain event."""
        new_id = _event_id(len(self.events))
        new = at_once(self._codec.encoder(stream, [event]))(event, EventMetadata(), new_id)
        return self.add_raw(stream, new.type, new.data, new.metadata)

    def add_raw(self, stream: str, event_type: str, data: bytes, metadata: bytes = b"") -> StoredEvent:
        """Bytes as anyone may have written them."""
        revision = self._revisions.get(stream, -1) + 1
        self._revisions[stream] = revision
        return self._add(stream, revision, event_type, data, metadata)

    def delete(self, stream: str, *, for_good: bool = False) -> StoredEvent:
        """The stream is deleted; what is added to it later begins it anew."""
        if for_good:
            return self._add(stream, 2**63 - 1, "$streamDeleted", b"", b"")
        return self._add(stream, 0, "$metadata", b'{"$tb":9223372036854775807}', b"")

    def _add(self, stream: str, revision: int, event_type: str, data: bytes, metadata: bytes) -> StoredEvent:
        number = len(self.events)
        stored = StoredEvent(
            _event_id(number),
            event_type,
            stream,
            revision,
            (number + 1) * 70 + number % 3,
            1_700_000_000_000 + number,
            data,
            metadata,
        )
        self.events.append(stored)
        return stored

    def go_on_from(self, events: Iterable[StoredEvent]) -> None:
        """What is added stands behind these."""
        self.events = list(events)
        self._revisions = {one.stream: one.revision for one in self.events}


def _event_id(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


class PlainFold:
    """Folds a log of the application's events by the plainest of means."""

    def __init__(self, application: Application) -> None:
        self._codec = EventCodec(application.aggregates, application.processes, MEMORY_KEYS)
        categories = [one.category for one in application.aggregates] + [one.name for one in application.processes]
        self._ours = tuple(f"{category}-" for category in categories)

    def __call__(
        self, view: View, log: Iterable[StoredEvent], left_out: Collection[tuple[int, str]] = ()
    ) -> tuple[dict[str, dict[str, Any]], set[int]]:
        """The documents that a view must come to, and the positions that it must have parked.

        `left_out` are pairs of a position and a key (a document's or a stream's) that operators have discarded.
        """
        documents: dict[str, Any] = {}
        positions: dict[str, int] = {}
        streams: set[str] = set()
        keys: set[str] = set()
        parked: set[int] = set()
        for stored in log:
            if not stored.stream.startswith(self._ours) or (stored.position, stored.stream) in left_out:
                continue
            try:
                recorded = decoded_at_once(self._codec, stored)
            except Exception:
                streams.add(stored.stream)
                parked.add(stored.position)
                continue
            if type(recorded.event) not in view.followed:
                continue
            if stored.stream in streams:
                parked.add(stored.position)
                continue
            try:
                touched = view.keys_of(recorded.event)
            except Exception:
                streams.add(stored.stream)
                parked.add(stored.position)
                continue
            for key in touched:
                if (stored.position, key) in left_out:
                    continue
                try:
                    if key in keys:
                        raise ValueError
                    documents[key] = view.after(documents.get(key), recorded)
                    positions[key] = stored.position
                except MissingBeginning:
                    # Gone from the log itself; but what operators have left out is not.
                    if recorded.revision > 0 and not {key, stored.stream} & {of for _, of in left_out}:
                        continue
                    keys.add(key)
                    parked.add(stored.position)
                except Exception:
                    keys.add(key)
                    parked.add(stored.position)
        fields = {key: {"_deleted": 1} if one is None else msgspec.to_builtins(one) for key, one in documents.items()}
        return {key: {"_id": key, "_position": positions[key], **fields[key]} for key in documents}, parked

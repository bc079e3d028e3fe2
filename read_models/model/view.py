"""What a view is: a named, versioned, pure fold of events into documents, and the queries that ask for them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.model.aggregate_deleted import AggregateDeleted
from domain.model.recorded_event import RecordedEvent
from read_models.model.public_fields import PublicFields
from read_models.model.query import Query

Keys = Callable[[Any], tuple[str, ...]]
"""keys(event) -> the keys of the documents that the event changes; known from the event alone, so nothing is joined."""

Fold = Callable[[Any, RecordedEvent[Any]], Any]
"""fold(document or None, recorded event) -> the document after it, or None when it is to be deleted."""

Index = tuple[str, ...]


class MissingBeginning(Exception):
    """An event of a document that was never begun: what stood before it has been cut off, or was never there."""


class View(Struct, frozen=True):
    """A view of the log. `version` rises whenever documents would come out otherwise than before.

    `document` holds only what is safe in the read store: str, int, finite float, bool, list, dict; None is left out.
    `indexes` name scalar fields of the document, each index as a tuple of fields in ascending order. `per_stream` says
    that each document is made of the events of one stream alone: for a stream's first event none need be looked for.

    What becomes of a document when its stream is deleted is the view's to say. With `dropped_with`, the category of the
    aggregate of which each document is one, it is dropped: its key is then the aggregate's id. Without it, everything
    is kept: what happened has happened, as for sums over many streams.

    `begins_with` are the events that can begin a document. Another one that meets no document, although its stream must
    have begun before, is left out and counted: the beginning has been cut off, and there is no half of a document.
    Without any, `fold` must refuse such an event itself, and it becomes a dead letter.

    `queries` become routes of the query API, `public` says how documents are shown there; a change of either needs no
    new version.
    """

    name: str
    version: int
    document: type[Struct]
    events: frozenset[type[Struct]]
    keys: Keys
    fold: Fold
    indexes: tuple[Index, ...] = ()
    per_stream: bool = False
    dropped_with: str = ""
    begins_with: frozenset[type[Struct]] = frozenset()
    queries: tuple[Query, ...] = ()
    public: PublicFields = PublicFields()

    def __post_init__(self) -> None:
        if self.dropped_with and not self.per_stream:
            raise ValueError(f"view {self.name} is not per_stream, so no document can be dropped with its stream")

    @property
    def collection(self) -> str:
        """The collection of this version's documents."""
        return f"{self.name}_v{self.version}"

    @property
    def followed(self) -> frozenset[type[Struct]]:
        """The events that are asked of the log: its own, and deletions where it drops documents with them."""
        return self.events | {AggregateDeleted} if self.dropped_with else self.events

    @property
    def keys_of(self) -> Keys:
        """keys(event) for each event that is followed."""
        if not self.dropped_with:
            return self.keys
        keys, category = self.keys, self.dropped_with

        def keys_of(event: Any) -> tuple[str, ...]:
            if type(event) is AggregateDeleted:
                return (event.aggregate_id,) if event.category == category else ()
            return keys(event)

        return keys_of

    def after(self, document: Any, recorded: RecordedEvent[Any]) -> Any:
        """The document, or None, after an event that is followed. Raises MissingBeginning, and what the fold raises."""
        kind = type(recorded.event)
        if kind is AggregateDeleted:
            return None
        if document is None and self.begins_with and kind not in self.begins_with:
            raise MissingBeginning(f"{recorded.stream} has lost its beginning, before event {recorded.revision}")
        return self.fold(document, recorded)


def millis(moment: datetime) -> int:
    """An aware time as epoch milliseconds."""
    return round(moment.timestamp() * 1000)

"""What a view is: a named, versioned, pure fold of events into documents, and the queries that ask for them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from domain.model.recorded_event import RecordedEvent
from read_models.model.public_fields import PublicFields
from read_models.model.query import Query

Keys = Callable[[Any], tuple[str, ...]]
"""keys(event) -> the keys of the documents that the event changes; known from the event alone, so nothing is joined."""

Fold = Callable[[Any, RecordedEvent[Any]], Any]
"""fold(document or None, recorded event) -> the document after it, or None when it is to be deleted."""

Index = tuple[str, ...]


class View(Struct, frozen=True):
    """A view of the log. `version` rises whenever documents would come out otherwise than before.

    `document` holds only what is safe in the read store: str, int, finite float, bool, list, dict; None is left out.
    `indexes` name scalar fields of the document, each index as a tuple of fields in ascending order. `per_stream` says
    that each document is made of the events of one stream alone: for a stream's first event none need be looked for.
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
    queries: tuple[Query, ...] = ()
    public: PublicFields = PublicFields()

    @property
    def collection(self) -> str:
        """The collection of this version's documents."""
        return f"{self.name}_v{self.version}"


def millis(moment: datetime) -> int:
    """An aware time as epoch milliseconds."""
    return round(moment.timestamp() * 1000)

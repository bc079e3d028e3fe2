"""Every aggregate of the domain, and the registry of their events. A new aggregate is a folder and a line here."""

from domain.aggregate import Aggregate
from domain.event_types import EventTypes
from domain.ordering.aggregate import ORDER

AGGREGATES: tuple[Aggregate, ...] = (ORDER,)

EVENT_TYPES = EventTypes([event_type for aggregate in AGGREGATES for event_type in aggregate.events])

CATEGORIES: frozenset[str] = frozenset(aggregate.category for aggregate in AGGREGATES)


def category_of(stream: str) -> str:
    """What stands before the first hyphen of a stream's name, as EventStoreDB's `$by_category` has it."""
    return stream.partition("-")[0]

"""What the engines are given: every list of the domain as one value, composed in one place and passed in."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from domain.model.aggregate import Aggregate
from domain.model.choreography import Choreography
from domain.model.process import Process
from domain.model.publication import Publication
from read_models.model.view import View

if TYPE_CHECKING:  # the command API needs no driver of a read store
    from infrastructure.read_store import ReadStore

ConsumerFactory = Callable[["ReadStore"], Any]
"""Makes a subscriptions.consumer.Consumer, over the read store in which it may keep what it needs."""


class Application(Struct, frozen=True):
    """The aggregates that take commands, the views that are folded from their events, the processes that answer events
    with commands, what else follows the log, what is published of it to others, and the choreographies by which people
    follow what consumers have done.

    Raises ValueError when two of them have the same name, which would share streams, routes or documents, and when a
    view follows the deletions of an aggregate, a context publishes of an event, or a choreography is about an
    aggregate, that is not there.
    """

    aggregates: tuple[Aggregate, ...]
    views: tuple[View, ...] = ()
    consumers: tuple[ConsumerFactory, ...] = ()
    processes: tuple[Process, ...] = ()
    publications: tuple[Publication, ...] = ()
    choreographies: tuple[Choreography, ...] = ()

    def __post_init__(self) -> None:
        _unique("aggregates have the category", (aggregate.category for aggregate in self.aggregates))
        _unique(
            "aggregates or processes have, for themselves or for their snapshots, the category",
            [
                *(name for aggregate in self.aggregates for name in (aggregate.category, aggregate.snapshot_category)),
                *(process.name for process in self.processes),
            ],
        )
        _unique("aggregates have the plural", (aggregate.plural for aggregate in self.aggregates))
        _unique("views are named", (f"{view.name}, version {view.version}" for view in self.views))
        categories = {aggregate.category for aggregate in self.aggregates}
        for view in self.views:
            if view.dropped_with and view.dropped_with not in categories:
                raise ValueError(f"view {view.name}: the application has no aggregate {view.dropped_with}")
        _unique("publications are of the context", (one.context for one in self.publications))
        written = {event.struct for aggregate in self.aggregates for event in aggregate.events}
        for publication in self.publications:
            for event in publication.mapping.keys() - written:
                raise ValueError(f"publication {publication.context}: no aggregate has the event {event.__name__}")
        _unique("choreographies are named", (one.name for one in self.choreographies))
        for choreography in self.choreographies:
            for category in set(choreography.categories) - categories:
                raise ValueError(f"choreography {choreography.name}: the application has no aggregate {category}")


def _unique(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"two {what} {repeated[0]}")

"""What the engines are given: every list of the domain as one value, composed in one place and passed in."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from domain.model.aggregate import Aggregate
from domain.model.choreography import Choreography
from domain.model.inbound import InboundContract, every_command
from domain.model.process import Process
from domain.model.publication import Publication
from read_models.model.view import View

if TYPE_CHECKING:  # the command API needs no driver of a read store
    from infrastructure.outside.calls import Calls
    from infrastructure.read_store import ReadStore

ConsumerFactory = Callable[["ReadStore", "Calls"], Any]
"""Makes a subscriptions.consumer.Consumer, over the read store in which it may keep what it needs, and what carries its
calls of the command API."""


class Application(Struct, frozen=True):
    """The aggregates that take commands, the views that are folded from their events, the processes that answer events
    with commands, what else follows the log, what is published of it to others, the choreographies by which people
    follow what consumers have done, and what is taken from other systems.

    Raises ValueError when two of them have the same name, which would share streams, routes or documents, and when a
    view follows the deletions of an aggregate, a context publishes of an event, a choreography is about an aggregate,
    or a message becomes a command, that is not there.
    """

    aggregates: tuple[Aggregate, ...]
    views: tuple[View, ...] = ()
    consumers: tuple[ConsumerFactory, ...] = ()
    processes: tuple[Process, ...] = ()
    publications: tuple[Publication, ...] = ()
    choreographies: tuple[Choreography, ...] = ()
    inbound: tuple[InboundContract, ...] = ()

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
        self._check_inbound()

    def _check_inbound(self) -> None:
        _unique("contracts are with the system", (one.system for one in self.inbound))
        taken = {(one.category, command.struct) for one in self.aggregates for command in one.commands}
        for contract in self.inbound:
            for message in contract.messages:
                for one in every_command(message.commands(message.example)):
                    if (one.category, type(one.command)) not in taken:
                        what = f"{contract.type_of(message)}: no aggregate {one.category} takes"
                        raise ValueError(f"{what} {type(one.command).__name__}")


def _unique(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"two {what} {repeated[0]}")

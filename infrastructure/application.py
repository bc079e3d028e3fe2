"""What the engines are given: every list of the domain as one value, composed in one place and passed in."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from domain.model.aggregate import Aggregate
from read_models.model.view import View

if TYPE_CHECKING:  # the command API needs no driver of a read store
    from infrastructure.read_store import ReadStore

ConsumerFactory = Callable[["ReadStore"], Any]
"""Makes a subscriptions.consumer.Consumer, over the read store in which it may keep what it needs."""


class Application(Struct, frozen=True):
    """The aggregates that take commands, the views that are folded from their events, and what else follows the log.

    Raises ValueError when two of them have the same name, which would share streams, routes or documents.
    """

    aggregates: tuple[Aggregate, ...]
    views: tuple[View, ...] = ()
    consumers: tuple[ConsumerFactory, ...] = ()

    def __post_init__(self) -> None:
        _unique("aggregates have the category", (aggregate.category for aggregate in self.aggregates))
        _unique("aggregates have the plural", (aggregate.plural for aggregate in self.aggregates))
        _unique("views are named", (f"{view.name}, version {view.version}" for view in self.views))


def _unique(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise ValueError(f"two {what} {repeated[0]}")

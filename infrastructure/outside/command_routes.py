"""Where commands are sent to: what the command API serves of the application's aggregates."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from domain.model.aggregate import Aggregate


class CommandRoutes:
    """Of the aggregates' commands."""

    def __init__(self, aggregates: Iterable[Aggregate]) -> None:
        self._routes: Mapping[tuple[str, type[Struct]], tuple[str, str]] = {
            (aggregate.category, one.struct): (aggregate.plural, "" if one.creates else one.action)
            for aggregate in aggregates
            for one in aggregate.commands
        }

    def of(self, category: str, command: Struct) -> tuple[str, str]:
        """The plural and the action ("" creates). Raises KeyError where no such aggregate takes such a command."""
        return self._routes[category, type(command)]

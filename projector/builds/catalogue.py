"""The catalogue of views and of all other consumers: what operators can ask the projector about."""

from collections.abc import Collection, Mapping

from infrastructure.view_registry import ViewRecord, ViewRegistry
from subscriptions.operating.catalogue import TargetsOf
from subscriptions.operating.plain_catalogue import PlainCatalogue


class ViewCatalogue:
    """The views that this process knows, and every plain consumer that has begun, whichever process runs it. Implements
    Catalogue."""

    def __init__(self, registry: ViewRegistry, views: Collection[str], others: PlainCatalogue) -> None:
        self.own = views
        self._registry = registry
        self._others = others

    async def load(self, names: Collection[str] | None = None) -> Mapping[str, TargetsOf]:
        views = [name for name in self.own if names is None or name in names]
        records = await self._registry.load(views)
        found = {name: targets_of(record) for name, record in records.items()}
        rest = None if names is None else [name for name in names if name not in self.own]
        return found if rest == [] else {**await self._others.load(rest), **found}


def targets_of(record: ViewRecord) -> TargetsOf:
    """The builds of a view that are brought up to date."""
    candidate, previous = record.candidate, record.previous
    return TargetsOf(
        record.target(record.live),
        None if candidate is None else record.target(candidate),
        None if previous is None else record.target(previous),
    )

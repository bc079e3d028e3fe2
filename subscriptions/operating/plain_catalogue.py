"""The catalogue of the consumers that have one target each."""

from collections.abc import Collection, Mapping

from subscriptions.coordination.plain_workload import ConsumerRecords
from subscriptions.operating.catalogue import TargetsOf


class PlainCatalogue:
    """Every plain consumer that has begun, whichever process runs it. Implements Catalogue."""

    def __init__(self, records: ConsumerRecords, own: Collection[str] = ()) -> None:
        self.own = own
        self._records = records

    async def load(self, names: Collection[str] | None = None) -> Mapping[str, TargetsOf]:
        found = await self._records.load(names)
        return {name: TargetsOf(record.target) for name, record in found.items()}

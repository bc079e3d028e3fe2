"""How many dead letters each consumer has of its largest groups, looked up now and then for Prometheus."""

from collections.abc import Collection
from typing import Protocol

from prometheus_client import Gauge

from subscriptions.operating.dead_letter_groups import ConsumerGroup

SHOWN = 5
"""So many groups of a consumer are shown, the largest; the others together, for each group is a series of its own."""
OTHER = "other"

# Of more groups, those with the last fingerprints are not looked at.
_MOST_GROUPS = 100


class PagedGroups(Protocol):
    """See GroupOperations."""

    async def page(
        self, consumer: str | None, *, after: str | None, limit: int
    ) -> tuple[list[ConsumerGroup], str | None]: ...


class GroupWatch:
    """Of the consumers of the names given, in a gauge of consumer and group. A group that is gone is shown no
    longer."""

    def __init__(self, names: Collection[str], groups: PagedGroups, gauge: Gauge) -> None:
        self._names = names
        self._groups = groups
        self._gauge = gauge
        self._shown: dict[str, set[str]] = {}

    async def look(self) -> None:
        """Looks at all of them. Raises what the read store raises."""
        for name in self._names:
            self._show(name, await self._counts(name))

    async def _counts(self, consumer: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        page, _ = await self._groups.page(consumer, after=None, limit=_MOST_GROUPS)
        for one in page:
            # The candidate of a view repeats the dead letters of what is served.
            counts[one.group.fingerprint] = max(one.group.count, counts.get(one.group.fingerprint, 0))
        largest = sorted(counts, key=lambda group: (-counts[group], group))
        shown = {group: counts[group] for group in largest[:SHOWN]}
        if len(largest) > SHOWN:
            shown[OTHER] = sum(counts[group] for group in largest[SHOWN:])
        return shown

    def _show(self, consumer: str, counts: dict[str, int]) -> None:
        for group, number in counts.items():
            self._gauge.labels(consumer, group).set(number)
        for gone in self._shown.get(consumer, set()) - counts.keys():
            self._gauge.remove(consumer, gone)
        self._shown[consumer] = set(counts)

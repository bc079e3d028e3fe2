"""Destinations that are no longer in the file: their place in the log and their dead letters are kept until somebody
has them removed."""

import asyncio
from collections.abc import Collection

from event_relay.destinations import CONSUMER_PREFIX
from event_relay.pauses import COLLECTION as PAUSES
from infrastructure.checkpoints import CHECKPOINTS
from subscriptions.coordination.plain_workload import CONSUMER_RECORDS, ConsumerRecord, ConsumerRecords
from subscriptions.membership.heartbeat import Heartbeat
from subscriptions.membership.leases import LEASES
from subscriptions.parking.discarded_events import COLLECTION as DISCARDED_EVENTS
from subscriptions.parking.parked_events import COLLECTION as PARKED_EVENTS
from subscriptions.ports import DocumentStore


class StillPublishedTo(Exception):
    """A process that is alive has the destination in its file; the message says which."""


class FormerDestinations:
    """Those that are recorded in the store, and are none of `configured` (names of consumers). `heartbeat` shows which
    processes are alive, and `changed` is set when one is removed. Every method raises what the store raises."""

    def __init__(
        self, store: DocumentStore, configured: Collection[str], heartbeat: Heartbeat, changed: asyncio.Event
    ) -> None:
        self._store = store
        self._records = ConsumerRecords(store)
        self._configured = frozenset(configured)
        self._heartbeat = heartbeat
        self._changed = changed

    async def load(self) -> list[str]:
        """The consumers of all of them."""
        return sorted(
            name
            for name in await self._records.load()
            if name.startswith(CONSUMER_PREFIX) and name not in self._configured
        )

    async def remove(self, consumer: str) -> bool:
        """Removes all that is kept of one; False when there is nothing. The record goes last, so that what is cut off
        can be done again. Raises StillPublishedTo."""
        record = (await self._records.load([consumer])).get(consumer)
        if record is None:
            return False
        publishing = [
            instance
            for instance, member in self._heartbeat.alive.items()
            if consumer in {ability.rpartition(":")[0] for ability in member.abilities}
        ]
        if consumer in self._configured or publishing:
            raise StillPublishedTo(f"{', '.join(publishing) or 'this process'} has it in its file of destinations")
        await self._remove(record)
        self._changed.set()
        return True

    async def _remove(self, record: ConsumerRecord) -> None:
        for target in (*record.retired, record.target.name):
            for collection in (CHECKPOINTS, PARKED_EVENTS, LEASES):
                await self._store.remove(collection, {"target": target})
        await self._store.remove(DISCARDED_EVENTS, {"consumer": record.consumer})
        await self._store.delete(PAUSES, record.consumer)
        await self._store.delete(CONSUMER_RECORDS, record.consumer)

"""Waiting until consumers have handled what the log holds: for tests, scripts, and operators."""

import asyncio
from collections.abc import Collection

from infrastructure.checkpoints import CHECKPOINTS, low_watermark
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.operating.catalogue import Catalogue
from subscriptions.ports import DocumentStore, EventLog

_BETWEEN_CHECKS = 0.02


class Draining:
    """Over one process's coordinator; what other processes do is known from their heartbeats and checkpoints."""

    def __init__(
        self, coordinator: Coordinator, catalogue: Catalogue, store: DocumentStore, event_log: EventLog
    ) -> None:
        self._coordinator = coordinator
        self._catalogue = catalogue
        self._store = store
        self._log = event_log

    async def drained(self, consumers: Collection[str] = (), *, timeout: float = 10.0) -> int | None:
        """Waits until the consumers named (without names: all that this service runs) have handled all that the log
        held when this was called, whichever process does it; returns that position (None: the log is empty).

        A consumer that was stopped by its own fault is not waited for. `timeout` is in seconds.

        Raises:
            TimeoutError: time is up.
            EventStoreUnavailable, ReadStoreUnavailable, ReadStoreRefused: a store can't be asked.
        """
        async with asyncio.timeout(timeout):
            end = await self._log.last_position()
            while True:
                if await self._have_reached(end, set(consumers) or set(self._catalogue.own)):
                    return end
                await asyncio.sleep(_BETWEEN_CHECKS)

    async def _have_reached(self, end: int | None, consumers: set[str]) -> bool:
        found = await self._catalogue.load(consumers)
        if end is None or found.keys() < consumers:
            return end is None
        served = [targets.served for targets in found.values()]
        checkpoints = await self._store.load(CHECKPOINTS, [key for target in served for key in target.keys])
        stopped = self._stopped()
        return all(
            _has_reached(end, low_watermark(target, checkpoints)) or not stopped.isdisjoint(target.keys)
            for target in served
        )

    def _stopped(self) -> set[str]:
        reports = [one for member in self._coordinator.heartbeat.alive.values() for one in member.partitions]
        return {one.partition for one in [*reports, *self._coordinator.reports()] if one.state == "stopped"}


def _has_reached(end: int, position: int | None) -> bool:
    return position is not None and position >= end

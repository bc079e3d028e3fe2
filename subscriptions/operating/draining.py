"""Waiting until consumers have handled what the log holds: for tests, scripts, and operators."""

import asyncio
from collections.abc import Collection

from infrastructure.checkpoints import CHECKPOINTS, Target, low_watermark
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.membership.member import PartitionReport
from subscriptions.operating.catalogue import Catalogue
from subscriptions.ports import DocumentStore, EventLog

_BETWEEN_CHECKS = 0.02


class OnOtherLog(Exception):
    """A consumer has stopped because the log is not the one of its checkpoint; the text says why."""


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
            OnOtherLog: a consumer has stopped on another log.
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
        served = [targets.served for targets in found.values()]
        self._check_log(served)
        if end is None or found.keys() < consumers:
            return end is None
        checkpoints = await self._store.load(CHECKPOINTS, [key for target in served for key in target.keys])
        stopped = self._stopped()
        return all(
            _has_reached(end, low_watermark(target, checkpoints)) or not stopped.isdisjoint(target.keys)
            for target in served
        )

    def _stopped(self) -> set[str]:
        return {one.partition for one in self._reports() if one.state == "stopped"}

    def _check_log(self, served: Collection[Target]) -> None:
        keys = {key: target.consumer for target in served for key in target.keys}
        for one in self._reports():
            if one.state == "other_log" and one.partition in keys:
                raise OnOtherLog(f"{keys[one.partition]}: {one.trouble}")

    def _reports(self) -> list[PartitionReport]:
        reports = [one for member in self._coordinator.heartbeat.alive.values() for one in member.partitions]
        return [*reports, *self._coordinator.reports()]


def _has_reached(end: int, position: int | None) -> bool:
    return position is not None and position >= end

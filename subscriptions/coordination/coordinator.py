"""One process among those that follow the log: finds out which work is its own, has it done, and tells the others.

Any number of these run side by side. What each does depends only on what all can read in the read store: the records
of the targets, the leases, the others' heartbeats.
"""

import asyncio
import contextlib
import math
from collections.abc import Iterable, Sequence
from time import monotonic

import structlog

from infrastructure.checkpoints import PartitionRef, Target
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.resilience import backoff
from subscriptions.assignment import Assignment
from subscriptions.coordination.followers import Followers
from subscriptions.coordination.rebalancing import Rebalancer
from subscriptions.coordination.worker import Desired
from subscriptions.coordination.workload import Workload
from subscriptions.errors import Stopping
from subscriptions.membership.heartbeat import Heartbeat
from subscriptions.membership.member import PartitionReport
from subscriptions.replaying.requests import ReplayRequests
from subscriptions.store.retrying_store import Delays, pause

log = structlog.get_logger(__name__)

# Dead letters that operators have resolved, here or elsewhere, leave the count after so many seconds.
_BETWEEN_COUNTS = 5.0


class Coordinator:
    """Runs until `stop` is set. `interval` is in seconds: between two heartbeats, and at most between two refreshes;
    setting `changed` starts the next refresh at once. `trouble` says what prevents its work, if anything."""

    def __init__(
        self,
        workload: Workload,
        heartbeat: Heartbeat,
        rebalancer: Rebalancer,
        followers: Followers,
        requests: ReplayRequests,
        changed: asyncio.Event,
        stop: asyncio.Event,
        *,
        interval: float,
        delays: Delays = backoff,
    ) -> None:
        self.workload = workload
        self.heartbeat = heartbeat
        self.rebalancer = rebalancer
        self.followers = followers
        self.targets: Sequence[Target] = ()
        self.trouble: str | None = None
        self.changed = changed
        self._mine: Sequence[PartitionRef] = ()
        self._requests = requests
        self._stop = stop
        self._interval = interval
        self._delays = delays
        self._last_beat = -math.inf
        self._last_count = 0.0

    def reports(self) -> list[PartitionReport]:
        """The state of each partition of this process; those that wait for a switch, or for a person, are paused."""
        state, is_paused = self.workload.paused_as, self.workload.is_paused
        paused = [PartitionReport(ref.key, state) for ref in self._mine if is_paused(ref.target)]
        return [*self.followers.reports(), *paused]

    async def run(self) -> None:
        """Does this process's work until `stop` is set; then finishes what has begun and gives up its leases."""
        try:
            await self._prepare()
            beating = asyncio.create_task(self._beat_periodically())
            try:
                await self._refresh_until_stopped()
            finally:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
        except Stopping:
            pass
        finally:
            await self.followers.close()
        await self._leave()

    async def _prepare(self) -> None:
        pauses = self._delays()
        while True:
            try:
                await self.workload.prepare()
                await self.rebalancer.prepare()
                await self._requests.prepare()
                await self.followers.prepare()
                await self.heartbeat.prepare()
                return
            except (ReadStoreUnavailable, ReadStoreRefused) as error:
                self._note(error)
            await pause(self._stop, next(pauses))

    async def _beat_periodically(self) -> None:
        """In a task of its own, so that long work does not make this process look dead."""
        while True:
            try:
                await self._beat()
            except (ReadStoreUnavailable, ReadStoreRefused) as error:
                log.debug("no heartbeat", error=str(error))
            except Exception:
                log.exception("a heartbeat failed")
            await asyncio.sleep(self._interval)

    async def _beat(self) -> None:
        await self.heartbeat.beat(self.workload.pause_acks(self.followers.runs), self.reports())
        self._last_beat = monotonic()

    async def _refresh_until_stopped(self) -> None:
        pauses = self._delays()
        while not self._stop.is_set():
            self.changed.clear()
            try:
                await self._refresh()
            except (ReadStoreUnavailable, ReadStoreRefused, EventStoreUnavailable) as error:
                self._note(error)
                await pause(self._stop, next(pauses))
            except Exception as error:
                self._note(error)
                log.exception("the coordinator failed; trying again")
                await pause(self._stop, next(pauses))
            else:
                self.trouble, pauses = None, self._delays()
                await self._until_next_refresh()

    async def _until_next_refresh(self) -> None:
        timeout = self._interval / 10 if self.workload.low_latency else self._interval
        waits = [asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(self.changed.wait())]
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _refresh(self) -> None:
        """Reads the present state, and takes every one of its tasks one step further."""
        if monotonic() - self._last_beat > 2 * self._interval:
            await self._beat()  # or this process, when it was delayed, would consider itself dead
        await self.heartbeat.refresh()
        self.targets = await self.workload.refresh(self.heartbeat.alive)
        self._mine = await self.rebalancer.rebalance(self.targets, self.followers.follows)
        self.followers.reconcile(self._desired(self._mine))
        for request in await self._requests.open():
            self.followers.replay(request, self._requests)
        if monotonic() - self._last_count > _BETWEEN_COUNTS:
            self._last_count = monotonic()
            await self.followers.recount()
        await self.workload.maintain(self.heartbeat.instance, self.rebalancer.states, self.heartbeat.alive)
        if self.workload.low_latency:
            await self._beat()

    def _desired(self, refs: Iterable[PartitionRef]) -> dict[str, Desired]:
        """What is to be followed here: our partitions of each target that is not paused."""
        owned: dict[str, list[PartitionRef]] = {}
        for ref in refs:
            if not self.workload.is_paused(ref.target):
                owned.setdefault(ref.target.name, []).append(ref)
        return {
            name: Desired(
                Assignment(parts[0].target, frozenset(ref.partition for ref in parts)),
                self.workload.limit(parts[0].target),
            )
            for name, parts in owned.items()
        }

    def _note(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {error}"

    async def _leave(self) -> None:
        """Gives up this process's leases, so that others need not wait until it counts as dead."""
        with contextlib.suppress(ReadStoreUnavailable, ReadStoreRefused, asyncio.TimeoutError):
            async with asyncio.timeout(2.0):
                await self.rebalancer.give_up_all(self.targets)
                await self.heartbeat.leave()

"""Carries out what mends a finding: through the projector where a process must do it, else in the read store itself."""

from collections.abc import Sequence

from msgspec import Struct

from infrastructure.read_store import ReadStore
from infrastructure.view_registry import VIEW_RECORDS
from ops.dead_letters.client import DeadLettersClient
from ops.doctor.facts import KEPT_BY_TARGET, Facts
from ops.doctor.findings import Cancel, Finding, Forget, Rebuild, Remedy, RemoveRequest, RemoveTarget, Retry
from ops.errors import CommandFailed
from ops.locations import Address
from ops.projector_client import open_projector
from ops.views.build_watch import RETRY_TIMEOUT, BuildWatch, ShowsBuilds, watch_builds
from ops.views.client import ViewsClient
from subscriptions.coordination.plain_workload import CONSUMER_RECORDS
from subscriptions.replaying.requests import ReplayRequests

REPLAY_TIMEOUT = 120.0
"""Seconds that a retry of all dead letters of one consumer may take."""


class Treated(Struct, frozen=True):
    """A finding for which something was done; `outcome` is what was done, or why it could not be."""

    finding: Finding
    mended: bool
    outcome: str


class Remedies:
    """`projector` is its address, `builds` shows how far rebuilds are."""

    def __init__(self, store: ReadStore, projector: Address, facts: Facts, builds: ShowsBuilds) -> None:
        self._store = store
        self._projector = projector
        self._facts = facts
        self._builds = builds

    async def treat(self, findings: Sequence[Finding]) -> list[Treated]:
        """Carries out the remedy of each finding, once where several have the same. One that fails does not hold up the
        others. Raises what the read store raises."""
        done: dict[Remedy, Treated] = {}
        for finding in findings:
            if finding.remedy is None or finding.remedy in done:
                continue
            try:
                treated = Treated(finding, True, await self._carry_out(finding.remedy))
            except CommandFailed as failure:
                treated = Treated(finding, False, f"{failure}; {failure.hint}" if failure.hint else str(failure))
            done[finding.remedy] = treated
        return list(done.values())

    async def _carry_out(self, remedy: Remedy) -> str:
        """What was done, as a sentence. Raises CommandFailed where it could not be."""
        match remedy:
            case Rebuild(view):
                return await self._rebuild(view)
            case Cancel(view):
                async with open_projector(self._projector) as projector:
                    await ViewsClient(projector).cancel(view)
                return f"the build of {view} that was under way is given up"
            case Retry(consumer):
                return await self._retry(consumer)
            case RemoveTarget(target):
                await self._remove(target)
                return f"what was left of {target} is removed"
            case RemoveRequest(request):
                await ReplayRequests(self._store).withdraw(request)
                return "the request is withdrawn"
            case Forget(name):
                return await self._forget(name)

    async def _rebuild(self, view: str) -> str:
        async with open_projector(self._projector, retry_timeout=RETRY_TIMEOUT) as projector:
            views = ViewsClient(projector)
            before, _ = await views.one(view)
            await views.rebuild(view)
            endings = await watch_builds(views, [BuildWatch(view, before.collection)], self._builds)
        if not endings[view].succeeded:
            raise CommandFailed(f"{view} could not be rebuilt: {endings[view].reason}")
        return f"{view} is built anew: {endings[view].reason}"

    async def _retry(self, consumer: str) -> str:
        async with open_projector(
            self._projector, retry_timeout=REPLAY_TIMEOUT, attempt_timeout=REPLAY_TIMEOUT
        ) as projector:
            outcome = await DeadLettersClient(projector).retry(consumer, None)
        if outcome.remaining:
            left = "; ".join(outcome.errors)
            raise CommandFailed(f"{outcome.replayed} are replayed, {outcome.remaining} are parked still: {left}")
        return f"{outcome.replayed} dead letters are replayed"

    async def _remove(self, target: str) -> None:
        for collection in KEPT_BY_TARGET:
            await self._store.remove(collection, {"target": target})
        if target in self._facts.orphans.get(target, ()):
            await self._store.drop(target)

    async def _forget(self, name: str) -> str:
        """The record goes last, so that a run that is cut off leaves something to find."""
        record = self._facts.views.get(name)
        collections = [build.collection for build in (*record.builds, *record.retired)] if record else [name]
        for target in collections:
            for collection in KEPT_BY_TARGET:
                await self._store.remove(collection, {"target": target})
            if record is not None:
                await self._store.drop(target)
        await self._store.delete(CONSUMER_RECORDS if record is None else VIEW_RECORDS, name)
        return f"{name} is forgotten"

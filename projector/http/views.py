"""Views over HTTP: status, rebuild, cancel, switch back, partitions."""

from collections.abc import Callable
from typing import Annotated, Any

from litestar import delete, get, post, put
from msgspec import Meta, Struct

from infrastructure.checkpoints import Missing
from infrastructure.clock import now_millis
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.openapi import BODY, documented, json_body
from infrastructure.http.problems import Problem
from infrastructure.view_registry import NotPossible, ViewRecord, transitions
from infrastructure.view_registry.transitions import MOST_PARTITIONS
from projector.builds.lifecycle import reached_by_builds, trails_of_builds
from projector.builds.workload import ViewWorkload
from projector.http.responses import Status, ViewStatus
from projector.http.status import ViewStatusReader
from subscriptions.coordination.coordinator import Coordinator
from subscriptions.http.problems import as_problems
from subscriptions.ports import DocumentStore

_TAGS = ["views"]
_UNKNOWN = {404: "There is no such view"}
_AWAY = {503: "A store can't be reached, or the projector is starting"}
_CHANGE = _UNKNOWN | _AWAY | {409: "Not possible now: the detail says why"}


class Partitioning(Struct, frozen=True, forbid_unknown_fields=True):
    """The number of partitions of a view."""

    partitions: Annotated[int, Meta(ge=1, le=MOST_PARTITIONS)]


def view_routes(
    coordinator: Coordinator, workload: ViewWorkload, reader: ViewStatusReader, store: DocumentStore, grace: int
) -> list[Any]:
    """The routes over a running coordinator. `grace` is in milliseconds: how long a previous build is kept."""

    async def change(name: str, transition: Callable[[ViewRecord], ViewRecord]) -> ViewStatus:
        with as_problems():
            try:
                await workload.registry.change(name, transition)
            except KeyError:
                raise _no_such_view(name, sorted(workload.names)) from None
            except NotPossible as error:
                raise Problem(409, "not-possible", "Not possible now", str(error)) from error
        await workload.reread()
        coordinator.changed.set()
        return await one(name)

    async def lost_builds(name: str) -> dict[str, Missing]:
        """What the log lacks by the checkpoints of each build (by collection) that was made from another one."""
        with as_problems():
            record = (await workload.registry.load([name])).get(name)
            if record is None:
                return {}
            try:
                missing = {one.collection: await workload.lifecycle.missing(record, one) for one in record.builds}
            except EventStoreUnavailable:
                return {}  # it will be found out when it is there again
        return {collection: one for collection, one in missing.items() if one is not None}

    async def one(name: str) -> ViewStatus:
        found = [view for view in (await reader.read()).views if view.name == name]
        if not found and name in workload.names:
            raise _starting(name)
        if not found:
            raise _no_such_view(name, sorted(workload.names))
        return found[0]

    @get(
        ["/status", "/views"],
        summary="Every view: how far, how far behind, who projects it",
        tags=_TAGS,
        **documented({}),
    )
    async def status() -> Status:
        return await reader.read()

    @get("/views/{name:str}", summary="One view", tags=_TAGS, **documented(_UNKNOWN | _AWAY))
    async def view(name: str) -> ViewStatus:
        return await one(name)

    @post(
        "/views/{name:str}/rebuild",
        summary="Build a view anew beside the live build",
        tags=_TAGS,
        status_code=202,
        **documented(_CHANGE),
    )
    async def rebuild(name: str) -> ViewStatus:
        version, lost = workload.newest_version(name), await lost_builds(name)

        def begin(record: ViewRecord) -> ViewRecord:
            is_lost = record.candidate is not None and record.candidate.collection in lost
            begun = transitions.with_candidate_instead if is_lost else transitions.with_candidate
            return begun(record, version or record.live.version, now_millis())

        return await change(name, begin)

    @delete(
        "/views/{name:str}/rebuild",
        summary="Cancel what is under way",
        tags=_TAGS,
        status_code=200,
        **documented(_CHANGE),
    )
    async def cancel(name: str) -> ViewStatus:
        return await change(name, lambda record: transitions.cancelled(record, now_millis(), grace))

    @post(
        "/views/{name:str}/switch-back",
        summary="Go back to the previous build",
        tags=_TAGS,
        status_code=202,
        **documented(_CHANGE),
    )
    async def switch_back(name: str) -> ViewStatus:
        lost = await lost_builds(name)

        def begin(record: ViewRecord) -> ViewRecord:
            if record.previous is not None and record.previous.collection in lost:
                raise NotPossible(f"the previous build of {name} is of another log: {lost[record.previous.collection]}")
            return transitions.with_previous_as_candidate(record)

        return await change(name, begin)

    @delete(
        "/views/{name:str}/previous",
        summary="Remove the previous build now",
        tags=_TAGS,
        status_code=200,
        **documented(_CHANGE),
    )
    async def drop_previous(name: str) -> ViewStatus:
        return await change(name, transitions.without_previous)

    @put(
        "/views/{name:str}/partitions",
        summary="Divide a view anew",
        tags=_TAGS,
        **documented(_CHANGE | BODY, body=json_body(Partitioning)),
    )
    async def partition(name: str, data: Partitioning) -> ViewStatus:
        with as_problems():
            record = (await workload.registry.load([name])).get(name)
            if record is None:
                raise _no_such_view(name, sorted(workload.names))
            reached, trails = await reached_by_builds(store, record), await trails_of_builds(store, record)
        lost = await lost_builds(name)

        def divide(record: ViewRecord) -> ViewRecord:
            for build in record.builds:
                if build.collection in lost:
                    raise NotPossible(f"{name} must be rebuilt first: {lost[build.collection]}")
            if set(reached) != {build.collection for build in record.builds}:
                raise NotPossible(f"{name} has just been switched or rebuilt; try again")
            return transitions.repartitioned(record, data.partitions, reached, trails)

        return await change(name, divide)

    return [status, view, rebuild, cancel, switch_back, drop_previous, partition]


def _no_such_view(name: str, existing: list[str]) -> Problem:
    return Problem(404, "not-found", "Not found", f"there is no view {name[:100]!r}; there are {', '.join(existing)}")


def _starting(name: str) -> Problem:
    """This process has just started and has not read the views yet."""
    detail = f"this process has yet to read how {name} stands"
    return Problem(503, "starting", "The projector is starting", detail, headers={"Retry-After": "1"})

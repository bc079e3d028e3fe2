"""Views over HTTP: status, rebuild, cancel, switch back, partitions."""

import time
from collections.abc import Callable
from typing import Annotated, Any

from litestar import delete, get, post, put
from msgspec import Meta, Struct

from infrastructure.view_registry import ViewRecord, transitions
from infrastructure.view_registry.transitions import MOST_PARTITIONS
from projector.builds.stewardship import reached_by_builds
from projector.engine import Engine
from projector.http.answers import Status, ViewStatus
from projector.http.problems import no_such_view, not_known_yet, told_as_problems
from projector.http.status import status_of

_TAGS = ["views"]


class Partitioning(Struct, frozen=True, forbid_unknown_fields=True):
    """Into how many partitions a view is to be divided."""

    partitions: Annotated[int, Meta(ge=1, le=MOST_PARTITIONS)]


def view_routes(engine: Engine) -> list[Any]:
    """The routes over a running engine."""

    async def change(name: str, transition: Callable[[ViewRecord], ViewRecord]) -> ViewStatus:
        with told_as_problems():
            try:
                await engine.registry.change(name, transition)
            except KeyError:
                raise no_such_view(name, sorted(engine.view_names)) from None
        await engine.look()
        return await one(name)

    async def one(name: str) -> ViewStatus:
        found = [view for view in (await status_of(engine)).views if view.name == name]
        if not found and name in engine.view_names:
            raise not_known_yet(name)
        if not found:
            raise no_such_view(name, sorted(engine.view_names))
        return found[0]

    @get(["/status", "/views"], summary="Every view: how far, how far behind, who projects it", tags=_TAGS)
    async def status() -> Status:
        return await status_of(engine)

    @get("/views/{name:str}", summary="One view", tags=_TAGS)
    async def view(name: str) -> ViewStatus:
        return await one(name)

    @post("/views/{name:str}/rebuild", summary="Build a view anew beside the live build", tags=_TAGS, status_code=202)
    async def rebuild(name: str) -> ViewStatus:
        version = engine.newest_version(name)

        def begin(record: ViewRecord) -> ViewRecord:
            return transitions.with_candidate(record, version or record.live.version, _now())

        return await change(name, begin)

    @delete("/views/{name:str}/rebuild", summary="Cancel what is under way", tags=_TAGS, status_code=200)
    async def cancel(name: str) -> ViewStatus:
        return await change(name, lambda record: transitions.cancelled(record, _now(), engine.grace))

    @post("/views/{name:str}/switch-back", summary="Go back to the previous build", tags=_TAGS, status_code=202)
    async def switch_back(name: str) -> ViewStatus:
        return await change(name, transitions.with_previous_as_candidate)

    @delete("/views/{name:str}/previous", summary="Remove the previous build now", tags=_TAGS, status_code=200)
    async def drop_previous(name: str) -> ViewStatus:
        return await change(name, transitions.without_previous)

    @put("/views/{name:str}/partitions", summary="Divide a view anew", tags=_TAGS)
    async def partition(name: str, data: Partitioning) -> ViewStatus:
        with told_as_problems():
            record = (await engine.registry.load([name])).get(name)
            if record is None:
                raise no_such_view(name, sorted(engine.view_names))
            reached = await reached_by_builds(engine.store, record)

        def divide(record: ViewRecord) -> ViewRecord:
            if set(reached) != {build.collection for build in record.builds}:
                raise transitions.NotPossible(f"{name} has just been switched or rebuilt; try again")
            return transitions.repartitioned(record, data.partitions, reached)

        return await change(name, divide)

    return [status, view, rebuild, cancel, switch_back, drop_previous, partition]


def _now() -> int:
    return time.time_ns() // 1_000_000

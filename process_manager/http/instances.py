"""Instances over HTTP: list, show, retry, resolve."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from litestar import Request, get, post
from litestar.params import Parameter
from msgspec import Meta, Struct

from domain.model.access import Access
from domain.model.event_types import UndecodableEvent, UnknownEventType
from domain.model.identifiers import TEXT_PATTERN
from infrastructure.event_store import StreamDeleted
from infrastructure.http.openapi import BODY, MALFORMED, MAX_POSITION, documented, json_body, whole_number
from infrastructure.http.problems import Problem, unreadable_history
from infrastructure.security.identity import ANYBODY, identity_of
from process_manager.http.responses import (
    Changed,
    InstanceDetails,
    Instances,
    ProcessCounts,
    Processes,
    details,
    summary,
)
from process_manager.instances.index import InstanceIndex
from process_manager.instances.operating import InstanceOperations, NoSuchInstance, NoSuchProcess, NotStuck
from process_manager.instances.streams import ACTOR
from subscriptions.http.problems import as_problems

HttpRequest = Request[Any, Any, Any]

_TAGS = ["processes"]
_READ = Access("processes:read", shared=True)
_OPERATE = Access("processes:operate", shared=True)
_UNKNOWN = {404: "There is no such process, or no such instance"}
_AWAY = {503: "A store can't be reached, or a newer release has written to it"}
_NOT_STUCK = {409: "It does not wait for an operator"}
_CHANGE = BODY | _UNKNOWN | _AWAY | _NOT_STUCK


class RetryRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`step` is the failed step to be tried again; without it all of them are."""

    step: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class ResolveRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The failed `step` (without it all of them) was seen to by hand; `reason` says how, and is kept."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000, pattern=TEXT_PATTERN)]
    step: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


def instance_routes(operations: InstanceOperations, index: InstanceIndex) -> list[Any]:
    """The routes over the stores; any process manager serves them for all."""

    @get(
        "/processes",
        summary="Every process with the number of its instances",
        tags=_TAGS,
        **documented(_AWAY, access=_READ),
    )
    async def processes() -> Processes:
        with _problems():
            return Processes(
                [
                    ProcessCounts(
                        name,
                        process.version,
                        *[await index.count(name, status) for status in ("running", "stuck", "ended")],
                    )
                    for name, process in operations.processes.items()
                ]
            )

    @get(
        "/processes/{process:str}/instances",
        summary="The instances of a process, the newest first",
        tags=_TAGS,
        **documented(
            MALFORMED | _UNKNOWN | _AWAY,
            parameters=[whole_number("before", "query", "only those that began before this position", 0, MAX_POSITION)],
            access=_READ,
        ),
    )
    async def instances(
        process: str,
        status: Annotated[
            Literal["running", "stuck", "ended"] | None, Parameter(description="only those in this state")
        ] = None,
        limit: Annotated[int, Parameter(ge=1, le=500, description="how many at most")] = 50,
        before: Annotated[int, Parameter(ge=0, le=MAX_POSITION)] = MAX_POSITION,
    ) -> Instances:
        with _problems():
            operations.process(process)
            found = await index.page(process, status=status or "", before=before, limit=limit)
        return Instances([summary(one) for one in found], found[-1].started_position if len(found) == limit else None)

    @get(
        "/processes/{process:str}/instances/{instance:str}",
        summary="One instance: every command with its answer, its timers, its stream",
        tags=_TAGS,
        **documented(_UNKNOWN | _AWAY, access=_READ),
    )
    async def instance(process: str, instance: str) -> InstanceDetails:
        with _problems():
            return details(await operations.story(process, instance))

    @post(
        "/processes/{process:str}/instances/{instance:str}/retry",
        summary="Try the failed steps of an instance again",
        tags=_TAGS,
        status_code=202,
        **documented(_CHANGE, body=json_body(RetryRequest, required=True), access=_OPERATE),
    )
    async def retry(request: HttpRequest, process: str, instance: str, data: RetryRequest) -> Changed:
        with _problems():
            return Changed(process, instance, await operations.retry(process, instance, data.step, _actor(request)))

    @post(
        "/processes/{process:str}/instances/{instance:str}/resolve",
        summary="Take the failed steps of an instance as done: they were seen to by hand",
        tags=_TAGS,
        status_code=202,
        **documented(_CHANGE, body=json_body(ResolveRequest, required=True), access=_OPERATE),
    )
    async def resolve(request: HttpRequest, process: str, instance: str, data: ResolveRequest) -> Changed:
        actor = _actor(request)
        with _problems():
            steps = await operations.resolve(process, instance, data.reason, data.step, actor)
            return Changed(process, instance, steps)

    return [processes, instances, instance, retry, resolve]


def _actor(request: HttpRequest) -> str:
    """Who asks for it, as far as that is known."""
    identity = identity_of(request.scope)
    return ACTOR if identity == ANYBODY else identity.subject


@contextmanager
def _problems() -> Iterator[None]:
    """Raises Problem for what the operations raise."""
    with as_problems():
        try:
            yield
        except (NoSuchProcess, NoSuchInstance) as error:
            raise Problem(404, "not-found", "Not found", str(error)) from error
        except NotStuck as error:
            raise Problem(409, "not-stuck", "It does not wait for an operator", str(error)) from error
        except StreamDeleted as error:
            raise Problem(410, "deleted", "It has been deleted", str(error)) from error
        except (UnknownEventType, UndecodableEvent) as error:
            raise unreadable_history(error) from error

"""A projector over HTTP that answers as docs/projector-http.md says, from what a test has put into it.

`script` has the views' states, one for each time that they are asked for; the last one stays. `refusals` and `away`
make requests fail. `asked` is every request in order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from infrastructure.http.problems import MEDIA_TYPE
from projector.http.responses import PreviousBuild, RebuildStatus, Status, ViewStatus
from subscriptions.http.responses import (
    ConsumerStatus,
    DeadLetter,
    DeadLetterEntry,
    DeadLetterGroup,
    DeadLetterGroups,
    DeadLetterHistory,
    DeadLetters,
    DeadLetterSummary,
    EventStoreStatus,
    PortionOutcome,
    RetryOutcome,
)
from subscriptions.operating.status import InstanceStatus, PartitionStatus

VIEW = ViewStatus(
    name="customer_summary",
    version=1,
    collection="customer_summary_v1",
    position=9000,
    lag_positions=500,
    lag_events=1234,
    lag_exact=False,
    lag_seconds=2.5,
    parked=3,
    state="live",
    trouble=None,
    partitions=[PartitionStatus(0, "left-1", 4, 9000), PartitionStatus(1, "right-2", 2, 9100)],
    rebuild=None,
    previous=None,
)
OTHER = replace(VIEW, name="daily_sales", collection="daily_sales_v1", lag_exact=True, lag_events=0, parked=0)

REBUILD = RebuildStatus(
    kind="rebuild",
    state="catching_up",
    collection="customer_summary_v1_r2",
    version=1,
    started_at=1_760_000_000_000,
    position=4500,
    fraction=0.473,
    events=120_000,
    events_per_second=15_400.0,
    seconds_left=75.0,
    trouble=None,
)
PREVIOUS = PreviousBuild("customer_summary_v1", 1, 9000, 1_760_000_600_000)

REBUILT = replace(VIEW, collection=REBUILD.collection, previous=PREVIOUS)


def building(**changes: Any) -> ViewStatus:
    """The view while it is being rebuilt."""
    return replace(VIEW, rebuild=replace(REBUILD, **changes))


def summary(position: int = 700, **changes: Any) -> DeadLetterSummary:
    """A dead letter of customer_summary."""
    return replace(
        DeadLetterSummary(
            consumer="customer_summary",
            target="customer_summary_v1",
            kind="key",
            keys=["ada"],
            first=True,
            stream="order-o-1",
            revision=2,
            position=position,
            event_type="OrderCancelled",
            error="ValueError: order o-1 of ada is cancelled before any was created",
            recorded_at=1_760_000_000_000,
            parked_at=1_760_000_001_000,
        ),
        **changes,
    )


class FakeProjector:
    def __init__(self, *script: Sequence[ViewStatus]) -> None:
        self.script = [list(views) for views in script] or [[VIEW, OTHER]]
        self.consumers: list[ConsumerStatus] = []
        self.dead_letters: list[DeadLetterSummary] = []
        self.outcome = RetryOutcome("customer_summary", 2, 0, 0, [])
        self.groups: list[DeadLetterGroup] = []
        self.entries: list[DeadLetterEntry] = []
        self.portions: list[PortionOutcome] = []
        self.refusals: dict[tuple[str, str], tuple[int, str]] = {}
        self.away = 0
        self.asked: list[tuple[str, str]] = []
        self.bodies: list[Any] = []
        self.on_look: Callable[[], None] = lambda: None
        self.url = ""

    def app(self) -> web.Application:
        @web.middleware
        async def met(request: web.Request, handler: Any) -> web.StreamResponse:
            path = request.path
            self.asked.append((request.method, path))
            if self.away:
                self.away -= 1
                return _problem(503, "the owner of partition 1 did not answer", {"Retry-After": "0"})
            if (request.method, path) in self.refusals:
                return _problem(*self.refusals[request.method, path])
            if request.can_read_body:
                self.bodies.append(await request.json())
            return await handler(request)

        app = web.Application(middlewares=[met])
        app.router.add_get("/views", self._views)
        app.router.add_get("/status", self._views)
        app.router.add_get("/health/ready", self._accepted)
        app.router.add_get("/views/{name}", self._view)
        app.router.add_post("/views/{name}/rebuild", self._accepted)
        app.router.add_delete("/views/{name}/rebuild", self._accepted)
        app.router.add_post("/views/{name}/switch-back", self._accepted)
        app.router.add_delete("/views/{name}/previous", self._accepted)
        app.router.add_put("/views/{name}/partitions", self._accepted)
        app.router.add_get("/dead-letters", self._dead_letters)
        app.router.add_get("/dead-letters/groups", self._groups)
        app.router.add_get("/dead-letters/history", self._history)
        app.router.add_post("/dead-letters/groups/retry", self._portion)
        app.router.add_post("/dead-letters/groups/discard", self._portion)
        app.router.add_get("/dead-letters/{consumer}/{position}", self._dead_letter)
        app.router.add_post("/dead-letters/retry", self._outcome)
        app.router.add_post("/dead-letters/discard", self._outcome)
        return app

    def _now(self) -> list[ViewStatus]:
        self.on_look()
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    async def _views(self, _request: web.Request) -> web.Response:
        instances = [
            InstanceStatus("left-1", "projector", True, 1_760_000_000_000, 1),
            InstanceStatus("right-2", "projector", False, 0, 1),
        ]
        return _json(Status(EventStoreStatus(9500, reachable=True), instances, self._now(), self.consumers))

    async def _view(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        for view in self._now():
            if view.name == name:
                return _json(view)
        return _problem(404, f"there is no view {name}")

    async def _accepted(self, _request: web.Request) -> web.Response:
        return web.Response(status=202)

    async def _dead_letters(self, request: web.Request) -> web.Response:
        query = request.query
        after, limit = int(query.get("after", -1)), int(query.get("limit", 50))
        if limit > 500:
            return _problem(400, "limit is at most 500")
        found = [
            one
            for one in self.dead_letters
            if one.position > after
            and query.get("consumer", one.consumer) == one.consumer
            and ("key" not in query or query["key"] in one.keys)
            and query.get("group", one.group) == one.group
        ]
        page = found[:limit]
        return _json(DeadLetters(page, page[-1].position if len(found) > limit else None))

    async def _dead_letter(self, request: web.Request) -> web.Response:
        consumer, position = request.match_info["consumer"], int(request.match_info["position"])
        for one in self.dead_letters:
            if (one.consumer, one.position) == (consumer, position):
                return _json(DeadLetter(one, '{"order_id":"o-1","reason":"[bold]late[/]"}', "no json"))
        return _problem(404, f"{consumer} has no dead letter at {position}")

    async def _groups(self, request: web.Request) -> web.Response:
        query = request.query
        found = [
            one
            for one in sorted(self.groups, key=lambda one: one.group)
            if query.get("consumer", one.consumer) == one.consumer
            and query.get("group", one.group) == one.group
            and one.group > query.get("after", "")
        ]
        more = len(found) > 2 and "group" not in query
        return _json(DeadLetterGroups(found[:2] if more else found, found[1].group if more else None))

    async def _history(self, request: web.Request) -> web.Response:
        wanted = request.query.get("consumer")
        return _json(DeadLetterHistory([one for one in self.entries if wanted in (None, one.consumer)]))

    async def _portion(self, _request: web.Request) -> web.Response:
        if not self.portions:
            return _problem(404, "nothing of customer_summary is parked in a group 0123456789ab")
        return _json(self.portions.pop(0))

    async def _outcome(self, _request: web.Request) -> web.Response:
        return _json(self.outcome)


def _json(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    problem = {"type": "urn:eventfold:problem:conflict", "title": "Not possible", "status": status, "detail": detail}
    return web.Response(
        status=status, body=msgspec.json.encode(problem), content_type=MEDIA_TYPE, headers=headers or {}
    )


@asynccontextmanager
async def serving(projector: FakeProjector) -> AsyncIterator[FakeProjector]:
    """The projector on a free port for the block."""
    async with TestServer(projector.app()) as server:
        projector.url = str(server.make_url("")).rstrip("/")
        yield projector


async def eventfold(projector: FakeProjector, *arguments: str) -> int:
    """Runs the command against the projector; answers its exit status."""
    from ops.cli import main

    return await asyncio.to_thread(main, [*arguments, "--projector", projector.url])

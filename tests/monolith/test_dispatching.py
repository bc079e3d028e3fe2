"""Which service answers what, at one address: over small applications of a test's own."""

from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar import Litestar, get, post, put

from domain.model.access import PUBLIC
from infrastructure.http.health import Dependency
from infrastructure.http.openapi import documented
from infrastructure.http.service import create_app
from infrastructure.security.identity import ANYBODY
from monolith.dispatching import Dispatcher
from monolith.front import create_front
from monolith.part import Part
from monolith.surface import AmbiguousRoutes
from monolith.whole import Whole
from tests.support.in_process import ask, open_settings
from tests.support.served import Reply


def app(name: str, *routes: tuple[Any, str], **dependencies: Dependency) -> Litestar:
    """A service whose routes say its name and what was asked."""

    def handler(kind: Any, path: str) -> Any:
        if "{" in path:

            @kind(path, **documented({}, access=PUBLIC))
            async def respond_about(thing: str) -> dict[str, str]:
                return {"by": name, "thing": thing}

            return respond_about

        @kind(path, **documented({}, access=PUBLIC))
        async def respond() -> dict[str, str]:
            return {"by": name}

        return respond

    return create_app(name, [handler(kind, path) for kind, path in routes], dependencies, open_settings())


def whole(*parts: Part) -> Any:
    return Dispatcher(create_front(parts, open_settings()), parts)


COMMANDS = Part("commands", app("commands", (put, "/things/{thing:str}"), (post, "/things")), at_root=True)
QUERIES = Part("queries", app("queries", (get, "/things/{thing:str}"), (get, "/things"), (get, "/list")), at_root=True)
VIEWS = Part("views", app("views", (get, "/status"), (get, "/list/parked"), (post, "/drain")))
RELAY = Part("relay", app("relay", (get, "/events"), (post, "/drain")), at_root=True)
ALL = whole(COMMANDS, QUERIES, VIEWS, RELAY)


async def asked(method: str, target: str, over: Any = ALL) -> Reply:
    return await ask(over, ANYBODY, method, target)


@pytest.mark.parametrize(
    ("method", "target", "by"),
    [
        ("PUT", "/things/t-1", "commands"),
        ("POST", "/things", "commands"),
        ("GET", "/things/t-1", "queries"),
        ("GET", "/things/t-1/", "queries"),
        ("GET", "/things", "queries"),
        ("GET", "/events", "relay"),
        ("GET", "/-/queries/things/t-1", "queries"),
        ("PUT", "/-/commands/things/t-1", "commands"),
        ("GET", "/-/views/status", "views"),
        ("POST", "/-/views/drain", "views"),
        ("POST", "/-/relay/drain", "relay"),
        ("GET", "/-/relay/events", "relay"),
    ],
)
async def test_path_and_method_say_who_answers(method: str, target: str, by: str) -> None:
    reply = await asked(method, target)
    assert reply.status < 300, reply.body
    assert reply.json["by"] == by
    assert reply.json.get("thing", "t-1") == "t-1"


@pytest.mark.parametrize(
    "target",
    [
        "/status",  # of a service that is not at the root
        "/drain",  # two services have it
        "/-/nobody/status",
        "/-/views",
        "/-/views/things",
        "/nothing",
        "/list/parked",
    ],
)
async def test_nothing_is_there(target: str) -> None:
    reply = await asked("GET", target)
    # The first page of a service leads to its API pages.
    assert reply.status == (302 if target == "/-/views" else 404), reply.body
    if reply.status == 404:
        assert reply.json["type"] == "urn:eventfold:problem:no-such-path"


async def test_head_is_answered_by_who_answers_get() -> None:
    assert (await asked("HEAD", "/things/t-1")).status == 200
    assert (await asked("HEAD", "/-/views/status")).status == 200


@pytest.mark.parametrize("method", ["OPTIONS", "PATCH", "DELETE", "TRACE"])
async def test_what_is_allowed_at_a_path_is_what_all_allow(method: str) -> None:
    reply = await asked(method, "/things/t-1")
    assert reply.status == (204 if method == "OPTIONS" else 405)
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    if method != "OPTIONS":
        assert reply.json["detail"] == f"{method} is not allowed here; GET, HEAD, OPTIONS, PUT are"


async def test_under_its_name_a_service_speaks_for_itself_alone() -> None:
    assert (await asked("OPTIONS", "/-/commands/things/t-1")).headers["allow"] == "OPTIONS, PUT"
    assert (await asked("GET", "/-/commands/things/t-1")).status == 405


async def test_the_whole_is_ready_when_every_part_is() -> None:
    down: set[str] = set()

    def dependency(name: str, *, required: bool = True) -> Dependency:
        async def probe() -> None:
            if name in down:
                raise ConnectionError("it is away")

        return Dependency(probe, required=required)

    one = Part("one", app("one", (get, "/one"), store=dependency("one")), at_root=True)
    two = Part("two", app("two", (get, "/two"), store=dependency("two"), mail=dependency("mail", required=False)))
    both = whole(one, two)
    told = (await asked("GET", "/health/ready", both)).json
    assert (told["status"], set(told["dependencies"])) == ("ready", {"one.store", "two.store", "two.mail"})
    down.add("mail")
    assert (await asked("GET", "/health/ready", both)).json["status"] == "degraded"
    down.add("two")
    reply = await asked("GET", "/health/ready", both)
    assert (reply.status, reply.json["dependencies"]["two.store"]["status"]) == (503, "down")
    assert (await asked("GET", "/-/one/health/ready", both)).status == 200
    assert (await asked("GET", "/-/two/health/ready", both)).status == 503
    assert (await asked("GET", "/health/live", both)).status == 200


def test_two_services_at_the_root_with_the_same_route_are_refused() -> None:
    rival = Part("rival", app("rival", (get, "/things/{other:str}")), at_root=True)
    with pytest.raises(AmbiguousRoutes, match=r"GET /things/{} is declared by queries and rival"):
        whole(COMMANDS, QUERIES, rival)


async def test_the_life_of_the_whole() -> None:
    """Stages start in order and end in reverse, within what backs them; who can't start says so, and the rest ends."""

    happened: list[str] = []

    def living(name: str, *, fails: bool = False) -> Litestar:
        @asynccontextmanager
        async def lifespan(_app: Litestar) -> Any:
            if fails:
                raise RuntimeError(f"{name} can't start")
            happened.append(f"{name} starts")
            try:
                yield
            finally:
                happened.append(f"{name} ends")

        return create_app(name, [], {}, open_settings(), lifespan=[lifespan])

    @asynccontextmanager
    async def backing() -> Any:
        happened.append("node starts")
        try:
            yield
        finally:
            happened.append("node ends")

    async def live(*stages: list[Litestar]) -> list[str]:
        sent: list[str] = []

        async def receive() -> Any:
            return {"type": "lifespan"}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await Whole(ALL, stages, backing)({"type": "lifespan"}, receive, send)
        return sent

    assert await live([living("a"), living("b")], [living("c")]) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert happened[:4] == ["node starts", "a starts", "b starts", "c starts"]
    assert happened[4] == "c ends"
    assert (set(happened[5:7]), happened[7]) == ({"a ends", "b ends"}, "node ends")
    happened.clear()
    with pytest.raises(ExceptionGroup) as raised:  # of the framework's own tasks
        await live([living("a")], [living("c", fails=True)])
    assert raised.group_contains(RuntimeError, match="c can't start")
    assert happened == ["node starts", "a starts", "a ends", "node ends"]

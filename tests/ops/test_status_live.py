"""`eventfold status` over services that tell of themselves, once and again and again; `eventfold log-level`."""

import asyncio
import io
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console
from rich.text import Text

from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.http.health import Dependency, Health
from infrastructure.settings import Settings
from ops.cli import main
from ops.locations import PROCESS_MANAGER, PROJECTOR, QUERY_API
from ops.log_level import chosen
from ops.output import without_password
from ops.status.display import parts, print_status
from ops.status.fitting import fitted
from ops.status.inspection import ServiceStatus, StackStatus, inspect
from ops.status.watch import shown, watch
from tests.support.services import ROOT

PORTS = [
    f"EVENTFOLD_{name}_PORT_NUMBER"
    for name in ("COMMAND_API", "QUERY_API", "PROJECTOR", "CONSUMERS", "PROCESS_MANAGER", "EVENT_RELAY")
]


class FakeService:
    """A service with a health of ours, and a level of its log."""

    def __init__(self, **dependencies: Dependency) -> None:
        self.health = Health(dependencies, "7.8.9", lambda text: text)
        self.answers: dict[str, Any] = {}
        self.told: Any = None
        self.level = "info"
        self.bodies: list[Any] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/log-level", self._level)
        app.router.add_put("/log-level", self._set_level)
        app.router.add_get("/{path:.*}", self._other)
        return app

    async def _ready(self, _request: web.Request) -> web.Response:
        if self.told is not None:
            return web.json_response(self.told)
        found = await self.health.ready()
        return web.Response(
            status=200 if found.ready else 503, body=msgspec.json.encode(found), content_type="application/json"
        )

    async def _other(self, request: web.Request) -> web.Response:
        found = self.answers.get(request.path)
        return web.json_response(found) if found is not None else web.Response(status=404)

    async def _level(self, _request: web.Request) -> web.Response:
        return web.json_response({"level": self.level, "configured": "info", "until": None})

    async def _set_level(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.level = self.bodies[-1]["level"]
        return await self._level(request)


@asynccontextmanager
async def running(directory: Path, **services: FakeService) -> AsyncIterator[None]:
    """A stack of these services on the directory, as `eventfold up` would write it down."""
    servers = {name.replace("_", "-"): TestServer(one.app()) for name, one in services.items()}
    run_directory = RunDirectory(directory)
    for server in servers.values():
        await server.start_server()
    entries = {
        name: ServiceEntry(str(server.make_url("")).rstrip("/"), "ready", 2, 4711, 0.0)
        for name, server in servers.items()
    }
    try:
        with run_directory.owned():
            run_directory.write_services(entries)
            yield
    finally:
        for server in servers.values():
            await server.close()


NOBODY = Settings.of(**{variable.removeprefix("EVENTFOLD_").lower(): 9 for variable in PORTS})


async def well() -> None:
    pass


async def ill() -> None:
    raise ConnectionError("nobody is there")


def printed(status: StackStatus) -> str:
    console = Console(width=250)
    with console.capture() as captured:
        print_status(console, status)
    return captured.get()


async def test_each_service_tells_of_itself(tmp_path: Path) -> None:
    queries = FakeService(read_store=Dependency(ill), event_store=Dependency(well, lambda: "closed"))
    sagas = FakeService(event_store=Dependency(well), commands=Dependency(ill, lambda: "open", required=False))
    counts = {"process": "order_fulfilment", "running": 12, "stuck": 3, "ended": 1400}
    sagas.answers["/processes"] = {"processes": [counts]}
    async with running(tmp_path, query_api=queries, process_manager=sagas):
        status = await inspect(tmp_path, NOBODY)
    found = {one.name: one for one in status.services}
    assert (found[QUERY_API].ready, found[QUERY_API].status, found[QUERY_API].version) == (False, "unready", "7.8.9")
    assert found[QUERY_API].problem == "read_store: ConnectionError: nobody is there"
    assert (found[PROCESS_MANAGER].ready, found[PROCESS_MANAGER].status) == (True, "degraded")
    assert found[PROCESS_MANAGER].pid == 4711
    assert found[PROJECTOR].problem.endswith("nothing listens there")
    assert not status.all_ready
    text = printed(status)
    (row,) = [line for line in text.splitlines() if line.startswith(f"{PROCESS_MANAGER} ")]
    assert row.split()[2:5] == ["4711", "degraded", "7.8.9"]
    assert "commands 0." in row
    assert "ms (open)" in row
    assert "process-manager: commands: ConnectionError: nobody is there" in text
    (row,) = [line for line in text.splitlines() if line.startswith("order_fulfilment")]
    assert row.split() == ["order_fulfilment", "12", "3", "1,400"]
    assert "eventfold sagas list --stuck" in text


async def test_consumers_are_shown_by_another_service_when_the_projector_is_away(tmp_path: Path) -> None:
    sagas = FakeService()
    sagas.answers["/status"] = {"event_store": {"position": 70}, "consumers": [{"name": "notifying", "parked": 4}]}
    async with running(tmp_path, process_manager=sagas):
        text = printed(await inspect(tmp_path, NOBODY))
    assert "does not tell" in text
    assert "notifying" in text


async def test_a_stand_in_is_up_since_it_was_started_and_says_no_more(tmp_path: Path) -> None:
    sink = FakeService()
    sink.told = {"status": "alive"}
    async with running(tmp_path, mail_sink=sink):
        found = {one.name: one for one in (await inspect(tmp_path, NOBODY)).services}["mail-sink"]
    assert (found.ready, found.status, found.version) == (True, "ready", None)
    assert found.uptime_seconds is not None
    assert found.uptime_seconds > 1_700_000_000


async def test_watching_shows_services_come_and_go(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=250)
    looks = 0

    async def look() -> StackStatus:
        nonlocal looks
        looks += 1
        if looks == 2:
            async with running(tmp_path, query_api=FakeService()):
                return await inspect(tmp_path, NOBODY)
        if looks == 4:
            raise asyncio.CancelledError
        return await inspect(tmp_path, NOBODY)

    with shown(console, as_json=False) as show, pytest.raises(asyncio.CancelledError):
        await watch(look, show, 0.0)
    blocks = console.file.getvalue().split("\n\n")  # type: ignore[attr-defined]
    states = [line.split()[3:5] for block in blocks for line in block.splitlines() if line.startswith("query-api ")]
    assert states == [["not", "ready"], ["ready", "7.8.9"], ["not", "ready"]]


@pytest.mark.parametrize("terminal", [True, False])
async def test_watching_on_a_terminal_and_as_json(tmp_path: Path, terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=250, height=60, force_terminal=terminal)
    status = await inspect(tmp_path, NOBODY)
    with shown(console, as_json=not terminal) as show:
        show(status)
        show(status)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    if terminal:
        assert "\x1b[?25l" in text, "the cursor is hidden"
        assert text.rstrip("\n").endswith("\x1b[?25h"), "and shown again"
    else:
        assert [len(json.loads(line)["services"]) for line in text.splitlines()] == [6, 6]


async def test_ctrl_c_ends_the_watching_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ops.cli", "status", "--watch", "--json", "--interval", "0.1"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--data-dir", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readline()
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    await process.stdout.read()
    assert await process.stderr.read() == b""
    assert await process.wait() == 0


async def test_the_level_of_one_service_and_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in PORTS:
        monkeypatch.setenv(variable, "9")

    async def eventfold(*words: str) -> int:
        return await asyncio.to_thread(main, ["log-level", *words, "--data-dir", str(tmp_path)])

    names = ("command_api", "query_api", "projector", "consumers", "event_relay")
    services = {name: FakeService() for name in names}
    async with running(tmp_path, **services, process_manager=(sagas := FakeService())):
        assert await eventfold("projector", "debug", "--for", "60") == 0
        assert services["projector"].bodies == [{"level": "debug", "seconds": 60.0}]
        assert capsys.readouterr().out.split()[-3:] == ["projector", "debug", "info"]
        assert await eventfold("warning") == 0
        assert {one.level for one in [*services.values(), sagas]} == {"warning"}
        assert await eventfold() == 0
        assert capsys.readouterr().out.count("warning") == 12
        assert await eventfold("command-api") == 0
    assert await eventfold("command-api", "info") == 1
    assert "command-api does not answer" in capsys.readouterr().err
    assert await eventfold("--for", "3") == 1


def test_what_the_words_mean() -> None:
    services = ["projector", "query-api"]
    assert chosen([], services) == (None, None)
    assert chosen(["debug"], services) == (None, "debug")
    assert chosen(["projector"], services) == ("projector", None)
    assert chosen(["query-api", "error"], services) == ("query-api", "error")


@pytest.mark.parametrize("words", [["loud"], ["projector", "loud"], ["debug", "projector"], ["projector", "info", "x"]])
def test_other_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log-level", *words]) == 1
    assert "eventfold:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("uri", "shown_as"),
    [
        ("mongodb://ada:s3cret@a,b/?x=y", "mongodb://ada:***@a,b/?x=y"),
        ("mongodb://127.0.0.1:27017/?directConnection=true", "mongodb://127.0.0.1:27017/?directConnection=true"),
        ("esdb://ada@node:2113", "esdb://ada@node:2113"),
    ],
)
def test_a_connection_string_for_people(uri: str, shown_as: str) -> None:
    assert without_password(uri) == shown_as


async def test_sources_of_messages_are_shown_with_what_they_wait_for(tmp_path: Path) -> None:
    inbound, page = FakeService(read_store=Dependency(well)), FakeService(commands=Dependency(ill))
    away = {"name": "crm", "kind": "rabbitmq", "lag": None, "parked": 2, "trouble": "nobody listens there"}
    live = {"name": "warehouse", "kind": "kafka", "lag": 1200, "parked": 0, "trouble": None}
    inbound.answers["/sources"] = {"sources": [away, live]}
    async with running(tmp_path, inbound=inbound, signing_page=page):
        text = printed(await inspect(tmp_path, NOBODY))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert rows["crm"] == ["rabbitmq", "waits", "-", "2"]
    assert rows["warehouse"] == ["kafka", "live", "1,200", "0"]
    assert "crm: nobody listens there" in text
    assert "eventfold inbox dead-letters list" in text
    assert rows["inbound"][2] == "ready"
    assert rows["signing-page"][2:4] == ["not", "ready"]


@pytest.mark.parametrize("height", [4, 9, 12])
def test_in_a_short_terminal_what_is_wrong_comes_first_and_what_is_left_out_is_counted(height: int) -> None:
    services = [
        ServiceStatus(f"service-{number}", "http://127.0.0.1:1", number != 7, "nobody" if number == 7 else "", None, 0)
        for number in range(20)
    ]
    processes = {"processes": [{"process": "order_fulfilment", "running": 1, "stuck": 3, "ended": 4}]}
    parts_ = list(parts(StackStatus(services, None, None, processes)))
    tall, short = Console(width=120, height=60), Console(width=120, height=height)
    whole, cut = rendered(tall, parts_), rendered(short, parts_)
    assert "not shown" not in "".join(whole)
    assert len(cut) == height
    assert cut[:3] == ["at noon", "service-7: nobody", "The projector does not tell how far the views are."]
    rows = sum(1 for line in whole if line)
    assert cut[-1] == f"{rows - height + 1} rows are not shown here; eventfold status shows all"


def rendered(console: Console, parts_: list[Any]) -> list[str]:
    with console.capture() as captured:
        console.print(fitted(console, Text("at noon"), parts_))
    return [line.rstrip() for line in captured.get().splitlines()]

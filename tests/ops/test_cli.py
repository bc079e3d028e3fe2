import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.supervisor.run_directory import RunDirectory
from ops import cli, version
from ops.cli import main
from tests.examples.retail.fake_shop import FakeShop, open_shop
from tests.support.services import ROOT

COMMANDS = (
    "up",
    "demo",
    "load",
    "status",
    "views",
    "dead-letters",
    "audit",
    "node",
    "command-api",
    "projector",
    "query-api",
    "token",
    "keys",
    "version",
)


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {command}" in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_the_start_imports_no_driver_and_no_service() -> None:
    heavy = (
        "aiohttp",
        "esdbclient",
        "grpc",
        "jwt",
        "litestar",
        "motor",
        "pymongo",
        "uvicorn",
        "projector",
        "query_api",
    )
    program = f"import sys, ops.cli; print(*[name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("eventfold ")


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["up", "--wings"], ["up", "--node-port", "70000"], ["up", "--port-base", "1", "--free-ports"]],
)
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EVENTFOLD_COMMAND_API_PORT_NUMBER", "many")
    assert main(["up"]) == 1
    assert "EVENTFOLD_COMMAND_API_PORT_NUMBER" in capsys.readouterr().err


def test_up_names_the_taken_port_and_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        arguments = ["up", "--data-dir", str(tmp_path), "--free-ports", "--query-api-port", str(port)]
        assert main(arguments) == 1
    text = capsys.readouterr().err
    assert f"port {port} on 127.0.0.1 is taken, and query-api needs it" in text
    assert "--query-api-port N" in text


def test_a_second_up_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunDirectory(tmp_path).owned():
        assert main(["up", "--data-dir", str(tmp_path), "--free-ports"]) == 1
    text = capsys.readouterr().err
    assert f"{tmp_path} is in use" in text
    assert "--data-dir" in text


def test_status_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("COMMAND_API", "QUERY_API", "PROJECTOR", "CONSUMERS", "PROCESS_MANAGER", "EVENT_RELAY"):
        monkeypatch.setenv(f"EVENTFOLD_{name}_PORT_NUMBER", "9")
    assert main(["status", "--data-dir", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert text.count("not ready") == 6
    assert "nothing listens there" in text
    assert main(["status", "--data-dir", str(tmp_path), "--json"]) == 1
    assert [service["ready"] for service in json.loads(capsys.readouterr().out)["services"]] == [False] * 6


def test_a_demo_of_more_baskets_than_there_are_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--baskets", "1001"]) == 1
    assert "--baskets can't be 1001: 1000 baskets come with Eventfold" in capsys.readouterr().err


def test_load_says_how_to_get_the_whole_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    arguments = ["load", "--baskets", "1001", "--command-api", "http://127.0.0.1:9", "--data-dir", str(tmp_path)]
    assert main(arguments) == 1
    assert "make data" in capsys.readouterr().err


async def test_load_places_baskets_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = FakeShop()
    async with open_shop(shop):
        load = ["load", "--command-api", shop.url, "--data-dir", str(tmp_path), "--move-on", "--skip", "2"]
        assert await asyncio.to_thread(main, [*load, "--baskets", "8"]) == 0
        assert len(shop.orders) == 8
        assert await asyncio.to_thread(main, [*load, "--baskets", "20", "--resume"]) == 0
    assert max(shop.keys.values()) == 1, "the first eight were not asked for again"
    text = capsys.readouterr().out
    assert "8 baskets: 8 placed, 0 refused" in text
    assert "Going on with basket 10" in text


def test_an_interrupted_command_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(version, "run", interrupted)
    assert main(["version"]) == cli.EXIT_INTERRUPTED
    assert capsys.readouterr().err == ""

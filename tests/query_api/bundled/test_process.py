"""The query API as a process of its own, with the bundled domain: how it starts, and how it stops."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from application import APPLICATION
from infrastructure.http.server import listen
from query_api.main import main
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, running, until


@pytest.mark.parametrize(("name", "value"), [("EVENTFOLD_QUERY_API_PROT", "1"), ("EVENTFOLD_AT_LEAST_TIMEOUT", "soon")])
def test_a_wrong_setting_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main(APPLICATION) == 2
    assert name in capsys.readouterr().err


def test_a_port_that_is_taken_is_said_with_the_setting_that_chooses_another() -> None:
    with listen("127.0.0.1", 0) as listener:
        listener.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "ops.cli", "query-api"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "EVENTFOLD_QUERY_API_PORT_NUMBER": str(listener.getsockname()[1]),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert "EVENTFOLD_QUERY_API_PORT_NUMBER" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_service_that_stops_lets_go_of_those_who_wait(
    tmp_path: Path, read_store_database: ReadStoreDatabase
) -> None:
    settings = {"mongo_uri": read_store_database.uri, "mongo_database": read_store_database.name}
    async with (
        running("query_api", tmp_path, at_least_timeout="600", **settings) as service,
        http_session(service.url) as http,
    ):
        waiting = asyncio.create_task(http.get("/orders/o-1?at_least=1000"))

        async def waited_for() -> bool:
            async with http.get("/metrics") as metrics:
                return 'at_least_waiting{view="order_details"} 1.0' in await metrics.text()

        await until(waited_for, "the request waits")
        async with asyncio.timeout(60):
            code = await service.stop()
            answer = await waiting
        assert (code, answer.status, answer.headers["Retry-After"]) == (0, 503, "1")

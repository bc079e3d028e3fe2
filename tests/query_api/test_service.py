"""The service around the routes: metrics, OpenAPI, health, how it starts, and that no input makes it fail inside."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from msgspec.structs import replace

from application import APPLICATION
from infrastructure.http.server import listen
from infrastructure.settings import Settings
from query_api.http.route import Route
from query_api.main import main
from query_api.read_side import ReadSide
from query_api.routes import all_routes

ROUTES = all_routes(APPLICATION, ReadSide(APPLICATION, Settings()))
from read_models.ordering.order_details import ORDER_DETAILS
from tests.query_api.shelf import Shelf
from tests.support.read_store import ReadStoreDatabase
from tests.support.served import Client, served
from tests.support.services import running, until

ROOT = Path(__file__).parents[2]


async def samples(api: Client) -> dict[str, float]:
    lines = (await api.get("/metrics")).body.decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def test_requests_are_counted_by_route_and_class(api: Client, shelf: Shelf) -> None:
    await shelf.order("o-1", 10)
    before = await samples(api)
    for path, known in [("o-1", ""), ("o-1", '"0"'), ("o-2", ""), ("-", ""), ("o-1?at_least=11", "")]:
        await api.get(f"/orders/{path}", {"If-None-Match": known})
    after = await samples(api)

    def rise(name: str) -> float:
        return after[name] - before.get(name, 0)

    counter = 'eventfold_query_requests_total{route="/orders/{order_id}",status="%s"}'
    assert [rise(counter % status) for status in ("2xx", "3xx", "4xx", "5xx")] == [1, 1, 2, 1]
    assert rise('eventfold_query_seconds_count{route="/orders/{order_id}"}') == 5
    assert rise(f'eventfold_query_at_least_waits_total{{outcome="timeout",view="{ORDER_DETAILS.name}"}}') == 1
    assert after[f'eventfold_query_at_least_waiting{{view="{ORDER_DETAILS.name}"}}'] == 0


async def test_openapi_describes_every_route_and_parameter(api: Client) -> None:
    paths = (await api.get("/schema/openapi.json")).json["paths"]
    for route in ROUTES:
        described = paths[route.path]["get"]
        in_path = re.findall(r"{(\w+)}", route.path)
        assert [parameter["name"] for parameter in described["parameters"]] == in_path + [
            parameter.name for parameter in route.parameters
        ]
        assert {"200", "304", "400", "503"} <= set(described["responses"])
    order = (await api.get("/schema/openapi.json")).json["components"]["schemas"]["OrderDetails"]
    assert order["properties"]["created_at"] == {"type": "string", "format": "date-time"}
    assert "confirmed_at" not in order["required"]


async def test_health(api: Client) -> None:
    assert (await api.get("/health/live")).status == 200
    ready = await api.get("/health/ready")
    assert ready.status == 503
    assert ready.json["dependencies"]["read_store"] == "ok"


ANY_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=70)
ANY_QUERY = st.dictionaries(
    st.sampled_from(["at_least", "as_of", "limit", "cursor", "status", "customer_id", "from", "to", "x"]),
    st.one_of(ANY_TEXT, st.integers().map(str), st.datetimes().map(str), st.dates().map(str)),
    max_size=4,
)


@pytest.fixture
async def hasty_api(settings: Settings) -> AsyncIterator[Client]:
    """One that hardly waits for `at_least`."""
    async with served(replace(settings, at_least_timeout=0.02)) as client:
        yield client


@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(ROUTES), text=ANY_TEXT, query=ANY_QUERY)
async def test_no_input_makes_it_fail_inside(hasty_api: Client, route: Route, text: str, query: dict[str, str]) -> None:
    path = re.sub(r"{\w+}", lambda _: quote(text, safe=""), route.path)
    given_query = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    reply = await hasty_api.get(f"{path}?{given_query}")
    # 503: at_least beyond the view, or no event store in this test.
    assert reply.status in (200, 400, 404, 503), reply


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
                "EVENTFOLD_QUERY_API_PORT": str(listener.getsockname()[1]),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == 1
    assert "EVENTFOLD_QUERY_API_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_a_service_that_stops_lets_go_of_those_who_wait(
    tmp_path: Path, read_store_database: ReadStoreDatabase
) -> None:
    settings = {"mongo_uri": read_store_database.uri, "mongo_database": read_store_database.name}
    async with (
        running("query_api", tmp_path, at_least_timeout="600", **settings) as service,
        aiohttp.ClientSession(service.url) as http,
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

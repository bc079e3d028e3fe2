"""The level of the log over HTTP: shown, changed, changed for a while; a wrong request changes nothing."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from litestar.testing import AsyncTestClient

from infrastructure.http.service import create_app
from infrastructure.settings import Settings
from infrastructure.telemetry.log_level import LOG_LEVEL


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    LOG_LEVEL.start_at("info")


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    async with AsyncTestClient(create_app("Lamps", [], {}, Settings.of(auth="off"))) as client:
        yield client


async def test_it_is_shown_and_changed(client: Any) -> None:
    assert (await client.get("/log-level")).json() == {"level": "info", "configured": "info", "until": None}
    changed = await client.put("/log-level", json={"level": "debug"})
    assert (changed.status_code, changed.json()) == (200, {"level": "debug", "configured": "info", "until": None})
    assert LOG_LEVEL.level == "debug"


async def test_it_is_changed_for_a_while(client: Any) -> None:
    changed = (await client.put("/log-level", json={"level": "debug", "seconds": 600})).json()
    assert changed["until"].endswith("Z")
    assert (await client.get("/log-level")).json() == changed


@pytest.mark.parametrize(
    "body",
    [
        *({}, [], {"level": "loud"}, {"level": "debug", "seconds": 0}, {"level": "debug", "seconds": 1e9}),
        *({"level": "debug", "second": 1}, {"level": None}),
    ],
)
async def test_what_is_wrong_is_refused(client: Any, body: Any) -> None:
    refused = await client.put("/log-level", json=body)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert LOG_LEVEL.level == "info"

"""The query API in this process, behind a real socket, and a client that speaks HTTP with it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import uvicorn
from msgspec import Struct
from yarl import URL

from infrastructure.application import Application
from infrastructure.http.server import listen
from infrastructure.settings import Settings
from query_api.app import query_api
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreDatabase

NOBODY_THERE = "esdb://127.0.0.1:9?Tls=false"
"""An event store that is away."""


def query_settings(database: ReadStoreDatabase) -> Settings:
    """Of a query API on a database of its own, whose event store is away."""
    return Settings.of(
        auth="off",
        eventstore_uri=NOBODY_THERE,
        eventstore_retry_timeout=0.1,
        mongo_uri=database.uri,
        mongo_database=database.name,
        at_least_timeout=0.4,
        readstore_timeout=10.0,
    )


class Reply(Struct):
    """One answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    def refused(self, status: int, *said: str) -> None:
        """Asserts that this is a problem with that status, whose detail says all of that."""
        assert self.status == status, (self.status, self.body)
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json
        assert problem["status"] == status
        assert problem["type"].startswith("urn:eventfold:problem:")
        for words in said:
            assert words in problem["detail"], problem


class Client:
    """GETs from one service."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.port = port
        self._session = session

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a path that is sent exactly as given."""
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self._session.get(url, headers=headers) as response:
            named = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, named, await response.read())


@asynccontextmanager
async def served(application: Application, settings: Settings) -> AsyncIterator[Client]:
    """The query API of an application with these settings, on a free port, for the block."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        query_api(application, settings), http="httptools", ws="none", lifespan="on", log_config=None
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Not `serve()` and `shutdown()`: they sleep 0.1 s between looks at what has changed, which adds up over many tests.
    await server.startup(sockets=[listener])
    try:
        async with http_session() as session:
            yield Client(session, listener.getsockname()[1])
    finally:
        for listening in server.servers:
            listening.close()
        await server.lifespan.shutdown()

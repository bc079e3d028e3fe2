"""Services over stores in memory, asked as anybody one likes, without a socket: for tests of who may do what."""

import json
from collections.abc import Mapping
from typing import Any

from litestar import Litestar

from command_api.aggregates import Aggregates
from command_api.pipeline import Pipeline
from command_api.routes import command_routes
from infrastructure.application import Application
from infrastructure.event_codec import EventCodec
from infrastructure.http.service import create_app
from infrastructure.security.identity import Identity
from infrastructure.settings import Settings
from query_api.http.handler import handler
from query_api.read_side import ReadSide
from query_api.routes import all_routes
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.decider import NOON
from tests.support.memory_event_store import MemoryEventStore
from tests.support.memory_keys import memory_keys
from tests.support.served import Reply
from tests.support.shelf import Shelf


def open_settings(**given: Any) -> Settings:
    """Of a service that asks for no tokens: who asks is what the test says."""
    return Settings.of(auth="off", rate_limit=0, **given)


class _Said(dict[str, Any]):
    """A request's state in which the identity stays the one that the test says."""

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "identity":
            super().__setitem__(key, value)


async def ask(
    app: Litestar,
    identity: Identity | None,
    method: str,
    target: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """The response to a request that the authentication would have found to be this identity's; None: there is none."""
    path, _, query = target.partition("?")
    raw = {"content-type": "application/json", **(headers or {})}
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in raw.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "root_path": "",
        "state": {} if identity is None else _Said(identity=identity),
    }
    sent: list[Any] = []
    content = b"" if body is None else json.dumps(body).encode()

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    named = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], named, b"".join(one.get("body", b"") for one in sent[1:]))


class InProcess:
    """The command API and the query API of an application over one log and one read store in memory."""

    def __init__(self, application: Application) -> None:
        self.events = MemoryEventStore()
        self.application = application
        keys = memory_keys()
        self.codec = EventCodec(application.aggregates, application.processes, keys)
        self.shelf = Shelf(MemoryReadStore(), application.views)
        self.commands = self.command_api()
        events: Any = self.events
        settings = open_settings(at_least_timeout=0.01, readstore_timeout=10.0)
        self.read_side = ReadSide(application, self.shelf.store, events, settings, keys)
        routes = [handler(route) for route in all_routes(application, self.read_side)]
        self.queries = create_app("queries", routes, {}, open_settings())

    def command_api(self) -> Litestar:
        """One more instance over the same log: it has cached nothing."""
        events: Any = self.events
        aggregates = Aggregates(events, self.codec, 100)
        pipeline = Pipeline(events, self.codec, aggregates, 5, lambda: NOON)
        return create_app("commands", command_routes(self.application.aggregates, pipeline), {}, open_settings())

    async def project(self, *, checkpoint: int | None = None) -> None:
        """Folds all that the log holds into the views, which are empty before; their checkpoints come as far as that,
        or as far as `checkpoint`."""
        await self.shelf.prepare()
        decode = await self.codec.decoder(self.events.log)
        for view in self.application.views:
            documents: dict[str, Any] = {}
            for stored in self.events.log:
                recorded = decode(stored)
                if type(recorded.event) in view.events:
                    for key in view.keys(recorded.event):
                        documents[key] = (view.fold(documents.get(key, (None,))[0], recorded), stored.position)
            await self.shelf.write(view, [(key, position, one) for key, (one, position) in documents.items()])
            if self.events.log:
                await self.shelf.checkpoint(view, checkpoint or self.events.log[-1].position)

    async def close(self) -> None:
        """Stops what follows the checkpoints."""
        await self.read_side.checkpoints.close()

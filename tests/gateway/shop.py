"""The tiny domain's services, real and behind a real Envoy: two command APIs, a query API, one who sends events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import aiohttp
from aiohttp import web

from command_api.app import command_api
from infrastructure.access_settings import AuthenticationSettings
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.policy import ALL_OWNERS
from infrastructure.security.signing_key import SigningKey
from infrastructure.settings import Settings
from ops.gateway.envoy import envoy_command
from ops.gateway.files import configuration, document_text, put
from ops.gateway.merged_openapi import merged_openapi
from ops.gateway.options import Certificate, Endpoint, GatewayOptions
from ops.gateway.route_table import PublicRoute, document_of, route_table
from query_api.app import query_api
from tests.support.envoy import Envoy, envoy_binary
from tests.support.in_process import open_settings
from tests.support.services import TINY as TINY_SERVICE
from tests.support.services import Service, free_port, service, until
from tests.support.tiny import TINY

EVENTS = PublicRoute("event-relay", "GET", "/events", True, "always", True, False)
SCOPES = ("lamps:install", "lamps:switch-on", "lamps:switch-off", "lamps:read", ALL_OWNERS)
# No success of these tests is to depend on how busy the machine is.
PATIENT = {"eventstore_deadline": 60.0, "eventstore_retry_timeout": 60.0, "readstore_timeout": 60.0}
HOST = "127.0.0.1"


class Shop:
    """All that stands behind a gateway."""

    def __init__(self, folder: Path, node_uri: str, mongo_uri: str) -> None:
        keys = DevelopmentKeys(folder)
        keys.make()
        self.jwks = str(keys.jwks)
        self._signing = SigningKey.from_jwk(json.loads(keys.signing_key.read_text()), AuthenticationSettings())
        settings = {
            "domain": TINY_SERVICE,
            "auth": "on",
            "auth_jwks_file": self.jwks,
            "rate_limit": "0",
            "eventstore_uri": node_uri,
            "mongo_uri": mongo_uri,
            "trusted_proxies": HOST,
            **{name: str(value) for name, value in PATIENT.items()},
        }
        self.commands = [service("command_api", folder, **settings) for _ in range(2)]
        self.queries = service("query_api", folder, **settings)
        self.events_port = free_port()
        apps = {"command-api": command_api(TINY, open_settings()), "query-api": query_api(TINY, open_settings())}
        self.routes = [*route_table(apps), EVENTS]
        self.document = document_text(merged_openapi({n: document_of(a) for n, a in apps.items()}, self.routes[:-1]))

    @property
    def services(self) -> list[Service]:
        return [*self.commands, self.queries]

    def token(self, subject: str = "ada", scopes: Sequence[str] = SCOPES) -> str:
        return self._signing.token(subject, scopes=scopes, ttl=3600, now=time.time())

    def bearer(self, subject: str = "ada") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(subject)}", "Content-Type": "application/json"}

    def gateway(self, folder: Path, certificate: Certificate | None = None, **settings: Any) -> "Gateway":
        """A gateway to all of it, to be started; of the `settings` by default nobody is limited."""
        given = Settings.of(**{"auth_jwks_file": self.jwks, "rate_limit": 0.0, **PATIENT, **settings})
        options = GatewayOptions(
            folder=PurePosixPath(folder),
            listen=Endpoint(HOST, free_port()),
            services={
                "command-api": tuple(Endpoint(HOST, one.port) for one in self.commands),
                "query-api": (Endpoint(HOST, self.queries.port),),
                "event-relay": (Endpoint(HOST, self.events_port),),
            },
            settings=given,
            admin_port=free_port(),
            metrics=Endpoint(HOST, free_port()),
            certificate=certificate,
            suffix=".json",
        )
        return Gateway(self, folder, options)


class Gateway:
    """Envoy before a shop."""

    def __init__(self, shop: Shop, folder: Path, options: GatewayOptions) -> None:
        self.options = options
        self.folder = folder
        scheme = "http" if options.certificate is None else "https"
        self.url = f"{scheme}://{HOST}:{options.listen.port}"
        self.shop = shop
        self.envoy = Envoy(envoy_command(envoy_binary(), options), options.admin_port, folder / "envoy.log")

    def write(self, routes: list[PublicRoute] | None = None, options: GatewayOptions | None = None) -> None:
        """The configuration, whole."""
        options = options or self.options
        put(self.folder, options, configuration(options, routes or self.shop.routes), self.shop.document)


@asynccontextmanager
async def behind(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The gateway, running."""
    gateway.write()
    await asyncio.to_thread(gateway.envoy.start)
    try:
        yield gateway
    finally:
        gateway.envoy.stop()


async def install(http: aiohttp.ClientSession, url: str, lamp: str, headers: Mapping[str, str]) -> tuple[int, Any]:
    """The status of the command and its response."""
    async with http.put(f"{url}/lamps/{lamp}", json={"room": "hall", "watts": 40}, headers=headers) as response:
        return response.status, await response.json(content_type=None)


@asynccontextmanager
async def sending_events(port: int) -> AsyncIterator[tuple[asyncio.Event, dict[str, str]]]:
    """Who sends one event at once, and another one when it is told to; and the headers of who asked last."""
    go_on, asked = asyncio.Event(), dict[str, str]()

    async def events(request: web.Request) -> web.StreamResponse:
        asked.update({name.lower(): value for name, value in request.headers.items()})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"id: 1\n\n")
        await go_on.wait()
        await response.write(b"id: 2\n\n")
        return response

    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.add_routes([web.get("/events", events), web.get("/health/ready", ready)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield go_on, asked
    finally:
        go_on.set()
        await runner.cleanup()


async def serving(shop: Shop) -> None:
    """Starts its services, and waits until they are ready."""
    for one in shop.services:
        await one.start()
    for one in shop.services:
        await until(lambda one=one: one.answers("/health/ready"), f"{one.name} is ready", 200)  # type: ignore[misc]

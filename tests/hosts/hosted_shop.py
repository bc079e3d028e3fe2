"""The shop over hosts of its own: the node, the read store, the APIs, and consumers on two hosts; two of each service.

Everybody asks for tokens, as nothing listens on loopback. The payment provider and the mail server are outside.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.signing_key import read_signing_key
from infrastructure.settings import Settings
from tests.end_to_end.saga_shop import SagaShop
from tests.hosts.network import OUTSIDE, Network
from tests.support.mail_sink import mail_sink
from tests.support.places import Place
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, start_node

_HOST_OF = {"payment-webhooks": "apis", "provider": OUTSIDE, "mail-sink": OUTSIDE}
"""Where a process runs that is one alone; the APIs are on one host, of the consumers the second ones on another."""
# What is waited for when nothing comes back; a success never depends on them.
TIMES = {
    "EVENTFOLD_EVENTSTORE_DEADLINE": "3",
    "EVENTFOLD_EVENTSTORE_RETRY_TIMEOUT": "1",
    "EVENTFOLD_EVENTSTORE_KEEPALIVE_INTERVAL": "2",
    "EVENTFOLD_EVENTSTORE_KEEPALIVE_TIMEOUT": "2",
    "EVENTFOLD_READSTORE_TIMEOUT": "3",
    "EVENTFOLD_PROBE_INTERVAL": "0.3",
    "EVENTFOLD_AT_LEAST_TIMEOUT": "2",
    "EVENTFOLD_RATE_LIMIT": "0",
}


class Reply(NamedTuple):
    """`retry_after` is empty where the header is missing."""

    status: int
    retry_after: str
    body: Any


class HostedShop(SagaShop):
    """Has a second one of each service, except the webhooks."""

    def __init__(self, folder: Path, network: Network, *stores: Any, **given: Any) -> None:
        super().__init__(folder, *stores, **given, places=lambda name: place_of(network, name))
        self.network = network
        port = free_port()
        url = f"http://{place_of(network, 'command-api-b').host}:{port}"
        self.commands_b = self._service("command-api", port, name="command-api-b")
        self.queries_b = self._service("query-api", name="query-api-b")
        self.projector_b = self._service("projector", name="projector-b")
        self.consumers_b = self._service("consumers", name="consumers-b", EVENTFOLD_COMMANDS_URL=url)
        self.others += [self.commands_b, self.queries_b, self.projector_b, self.consumers_b]
        self._turns = cycle((self.commands, self.commands_b))

    async def operate(self) -> None:
        """Nothing: all heals by itself."""

    async def command(self, method: str, path: str, body: Any, key: str) -> int:
        """The status; sent to one command API after the other until there is a definite answer."""
        while True:
            reply = await self.ask(next(self._turns), method, path, body, key)
            contended = isinstance(reply.body, dict) and reply.body.get("type") == "urn:eventfold:problem:contended"
            if 0 < reply.status < 500 and not contended:
                return reply.status
            await asyncio.sleep(0.05)

    async def ask(self, of: Service, method: str, path: str, body: Any = None, key: str = "") -> Reply:
        """One request; status 0 where no answer came."""
        headers = {"Idempotency-Key": key} if key else {}
        try:
            async with self.http.request(
                method, of.url + path, json=body, headers=headers, timeout=aiohttp.ClientTimeout(20)
            ) as answer:
                told = await answer.json(content_type=None)
                return Reply(answer.status, answer.headers.get("Retry-After", ""), told)
        except (aiohttp.ClientError, TimeoutError):
            return Reply(0, "", None)

    async def is_ready(self, service: Service) -> bool:
        """Whether it says so itself."""
        return (await self.ask(service, "GET", "/health/ready")).status == 200


def place_of(network: Network, name: str) -> Place:
    """Where the process of that name runs."""
    if name in _HOST_OF:
        return network.place(_HOST_OF[name])
    if name.startswith(("command-api", "query-api")):
        return network.place("apis")
    return network.place("consumers-b" if name.endswith("-b") else "consumers-a")


def access(folder: Path, **who: Any) -> tuple[dict[str, str], str]:
    """The settings by which the services check and make tokens, and a token with these roles or scopes."""
    keys = DevelopmentKeys(folder)
    keys.make()
    settings = {
        "EVENTFOLD_AUTH": "on",
        "EVENTFOLD_AUTH_JWKS_FILE": str(keys.jwks),
        "EVENTFOLD_SERVICE_KEY_FILE": str(keys.signing_key),
    }
    key = read_signing_key(keys.signing_key, "the key of the tests", Settings().authentication)
    return settings, key.token("sue", **who, ttl=7200, now=time.time())


@asynccontextmanager
async def running_hosted_shop(folder: Path, network: Network, patience: float) -> AsyncIterator[HostedShop]:
    """The shop on an empty log, for the block."""
    settings, token = access(folder, roles=("staff", "operator"))
    async with AsyncExitStack() as stack:
        node = await start_node(folder, place=network.place("node"))
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder, place=network.place("store"))
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        sink = await stack.enter_async_context(mail_sink(folder, place_of(network, "mail-sink")))
        shop = HostedShop(folder, network, node, read_store, sink, patience, {**TIMES, **settings}, token=token)
        stack.push_async_callback(shop.close)
        await shop.start()
        yield shop

"""A short round over four hosts: the tiny domain's services, one of each; what clients see of three cuts, and after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infrastructure.event_store import EventStore
from infrastructure.read_store import ReadStore
from infrastructure.security.policy import ALL_OWNERS
from tests.hosts.hosted_shop import TIMES, access
from tests.hosts.network import Network
from tests.projector.verdict import assert_equal_to_a_fold
from tests.support.read_store import ReadStoreServer
from tests.support.services import ROOT, Service, node_uri, service_of, start_node, until
from tests.support.services import TINY as TINY_SERVICES
from tests.support.tiny import TINY
from tests.support.tiny.logs import fold_of

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(1200)]

SCOPES = ("lamps:install", "lamps:switch-on", "lamps:read", ALL_OWNERS)
SOON = 600.0


class LampShop:
    """A command API and a query API on one host, a projector on another, each store on its own."""

    def __init__(self, folder: Path, network: Network, node: Service, read_store: ReadStoreServer) -> None:
        settings, token = access(folder, scopes=SCOPES)
        mine = {"EVENTFOLD_EVENTSTORE_URI": node_uri(node.port, node.host), "EVENTFOLD_MONGO_URI": read_store.uri}
        given = {**TIMES, **settings, **mine}

        def on(host: str, name: str) -> Service:
            return service_of(ROOT, network.place(host), name, folder, TINY_SERVICES, given)

        self.commands, self.queries = on("apis", "command_api"), on("apis", "query_api")
        self.projector = on("consumers-a", "projector")
        self.log = EventStore(node_uri(node.port, node.host), retry_timeout=60)
        self.store = ReadStore(read_store.uri, "eventfold", timeout=30)
        self.http = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, connector=aiohttp.TCPConnector(force_close=True)
        )

    async def ask(self, of: Service, method: str, path: str, body: Any = None) -> tuple[int, bool]:
        """The status, and whether the answer says when to come again. The path is the command's key."""
        headers = {"Idempotency-Key": path}
        async with self.http.request(method, of.url + path, json=body, headers=headers) as answer:
            return answer.status, "Retry-After" in answer.headers

    async def install(self, lamp: str) -> tuple[int, bool]:
        return await self.ask(self.commands, "PUT", f"/lamps/{lamp}", {"room": "r1", "watts": 40})

    async def is_installed(self, lamp: str) -> bool:
        return await self.install(lamp) == (201, False)

    async def is_shown(self, lamp: str) -> bool:
        return (await self.ask(self.queries, "GET", f"/lamps/{lamp}"))[0] == 200

    async def close(self) -> None:
        for one in (self.commands, self.queries, self.projector):
            if one.was_started:
                await one.kill()
        await self.http.close()
        await self.log.close()
        await self.store.close()


@asynccontextmanager
async def lamp_shop(folder: Path, network: Network) -> AsyncIterator[LampShop]:
    """The shop on an empty log, for the block."""
    node = await start_node(folder, place=network.place("node"))
    read_store = ReadStoreServer(folder, place=network.place("store"))
    try:
        await asyncio.to_thread(read_store.start)
        shop = LampShop(folder, network, node, read_store)
        try:
            services = (shop.commands, shop.queries, shop.projector)
            await asyncio.gather(*(one.start() for one in services))
            for one in services:
                await until(one.answers, f"{one.name} answers", SOON)
            yield shop
        finally:
            await shop.close()
    finally:
        read_store.kill()
        await node.kill()


async def test_what_is_cut_is_refused_and_heals_by_itself(network: Network, tmp_path: Path) -> None:
    async with lamp_shop(tmp_path, network) as shop:
        await until(lambda: shop.is_installed("l1"), "commands are taken", SOON)
        await until(lambda: shop.is_shown("l1"), "it is shown", SOON)

        network.cut("apis", "node")
        assert await shop.install("l2") == (503, True)
        await until(lambda: shop.is_shown("l1"), "queries go on", SOON)
        network.mend("apis", "node")
        await until(lambda: shop.is_installed("l2"), "the same command is taken", SOON)

        network.cut("node", "apis", one_way=True)
        assert await shop.install("l3") == (503, True)
        network.mend("node", "apis")
        await until(lambda: shop.is_installed("l3"), "the same command is taken", SOON)

        network.cut("consumers-a", "node")
        network.cut("apis", "store")
        assert await shop.ask(shop.queries, "GET", "/lamps/l1") == (503, True)
        await until(lambda: shop.is_installed("l4"), "commands go on", SOON)
        network.mend("apis", "store")
        network.mend("consumers-a", "node")

        for lamp in ("l1", "l2", "l3", "l4"):
            await until(lambda lamp=lamp: shop.is_shown(lamp), f"{lamp} is shown", SOON)
        events = [one async for one in shop.log.read_all()]
        assert sorted(one.stream for one in events if one.type == "LampInstalled") == [
            f"lamp-l{one}" for one in range(1, 5)
        ]
        await assert_equal_to_a_fold(shop.store, events, views=TINY.views, fold=fold_of)
        print(network.counts())

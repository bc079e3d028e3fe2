"""What makes contracts, as processes: stores, command API, consumers, projector, query API and a mail server; and the
people who order, sign and change their minds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from domain.documents.events import SignatureRequested
from infrastructure.document_store import digest_of
from infrastructure.event_store import EventStore, EventStoreUnavailable
from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.personal_data import personal_keys
from infrastructure.settings import load_settings
from tests.end_to_end.contract_log import ContractLog
from tests.support.http_session import http_session
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.read_store import ReadStoreServer
from tests.support.services import Service, key_settings, node_uri, service, start_node, until

LINE: dict[str, Any] = {"sku": "tea", "quantity": 2, "unit_price": 500}
REGRETTING = "regrets"
"""What the ids begin with of orders that are cancelled when their contract can be signed."""


class ContractShop:
    """`orders` are those that were confirmed; `documents` is the folder of the document store, within `folder`."""

    def __init__(
        self, folder: Path, node: Service, read_store: ReadStoreServer, sink: MailSink, consumers: int
    ) -> None:
        self.node, self.sink = node, sink
        self.folder, self.documents = folder, folder / "documents"
        self.ca = DevelopmentCa(folder / "ca")
        self.ca.make()
        given = {
            "eventstore_uri": node_uri(node.port),
            "eventstore_retry_timeout": "5",
            "mongo_uri": read_store.uri,
            "document_store": f"file:{self.documents}",
        }
        self.commands = service("command_api", folder, **given)
        working = {
            **given,
            "commands_url": self.commands.url,
            "commands_recovery_timeout": "0.2",
            "consumer_lease": "1.5",
            "consumer_partitions": "2",
            "mail_url": sink.url,
            "mail_recovery_timeout": "0.2",
            "document_signing_key_file": str(self.ca.signing_key),
            "document_signing_certificate_file": str(self.ca.signing_certificates),
        }
        self.consumers = [
            service("consumers", folder, **working, consumer_name=f"consumers-{one}") for one in range(consumers)
        ]
        self.projector = service("projector", folder, **given)
        self.queries = service("query_api", folder, **given)
        self.log = EventStore(node_uri(node.port), retry_timeout=60)
        settings = load_settings(key_settings(folder) | {"EVENTFOLD_AUTH": "off"})
        self.contracts = ContractLog(self.log, personal_keys(settings))
        self.http = http_session()
        self.orders: list[str] = []

    async def start(self) -> None:
        """Everything, side by side."""
        started = [self.commands, *self.consumers, self.projector, self.queries]
        for one in started:
            await one.start()
        for one in started:
            await self.answers(one)

    async def kill(self, victim: Service) -> None:
        """SIGKILL, and it is started again at once."""
        await victim.kill()
        await victim.start()

    async def answers(self, one: Service) -> None:
        """Waits until it can be used again."""
        await until(one.answers, f"{one.name} answers", 400)

    async def command(self, method: str, path: str, body: Any, key: str) -> int:
        """The status; sent until there is a definite answer."""
        while True:
            headers = {"Idempotency-Key": key}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self.http.request(method, self.commands.url + path, json=body, headers=headers) as answer:
                    problem = await answer.json(content_type=None)
                    if answer.status < 500 and problem.get("type") != "urn:eventfold:problem:contended":
                        return answer.status
            await asyncio.sleep(0.02)

    async def order(self, order: str) -> None:
        """One that is placed and confirmed."""
        self.orders.append(order)
        body = {"customer_id": f"customer-of-{order}", "currency": "EUR", "lines": [LINE]}
        assert await self.command("PUT", f"/orders/{order}", body, f"place-{order}") == 201
        assert await self.command("POST", f"/orders/{order}/confirm", {}, f"confirm-{order}") == 200

    async def people(self) -> None:
        """Each contract that can be signed is signed, or its order is cancelled. Until it is cancelled."""
        seen: set[str] = set()
        while True:
            with contextlib.suppress(EventStoreUnavailable):
                await self.contracts.catch_up()
            for event in self.contracts.signable():
                if event.order_id not in seen:
                    seen.add(event.order_id)
                    await self._decide(event)
            await asyncio.sleep(0.02)

    async def _decide(self, event: SignatureRequested) -> None:
        order = event.order_id
        if order.startswith(REGRETTING):
            body: dict[str, Any] = {"reason": "changed my mind"}
            assert await self.command("POST", f"/orders/{order}/cancel", body, f"cancel-{order}") == 200
            return
        body = {"document_sha256": event.document_sha256, "name": "Ada Lovelace", "consent": True}
        assert await self.command("POST", f"/contracts/{order}/sign", body, f"sign-{order}") == 200

    async def document(self, order: str) -> bytes:
        """The PDF that the query API gives; its ETag is its SHA-256."""
        async with self.http.get(f"{self.queries.url}/documents/{order}") as answer:
            content = await answer.read()
            assert answer.status == 200, content[:500]
            assert answer.headers["ETag"] == f'"{digest_of(content)}"'
            return content

    async def dead_letters(self) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.consumers[0].url}/dead-letters?limit=500") as answer:
            return list((await answer.json())["dead_letters"])

    async def settle(self, seconds: float) -> None:
        """Waits until nothing is awaited of any order."""

        async def settled() -> bool:
            return not await self.contracts.unsettled(self.orders)

        try:
            await until(settled, "nothing is awaited", seconds)
        except AssertionError as error:
            left, parked = await self.contracts.unsettled(self.orders), await self.dead_letters()
            raise AssertionError(f"{error}: {left}; parked: {parked[:3]}") from None

    async def close(self) -> None:
        for one in (self.commands, *self.consumers, self.projector, self.queries):
            if one.was_started:
                await one.kill()
        await self.http.close()
        await self.log.close()


@asynccontextmanager
async def running_contract_shop(folder: Path, consumers: int = 1) -> AsyncIterator[ContractShop]:
    """The shop on an empty log, for the block."""
    async with AsyncExitStack() as stack:
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        sink = await stack.enter_async_context(mail_sink(folder))
        shop = ContractShop(folder, node, read_store, sink, consumers)
        stack.push_async_callback(shop.close)
        await shop.start()
        yield shop

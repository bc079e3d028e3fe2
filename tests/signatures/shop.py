"""A shop that only has contracts signed: every part of it a process, and the sandbox signing provider beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from domain.documents.aggregate import CONTRACT
from domain.documents.contract import Contract, Status
from domain.documents.events import ContractSigned
from domain.documents.signature_results.aggregate import SIGNATURE_RESULTS
from domain.documents.signature_results.results import SignatureResults
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from tests.signatures.documents import KEY, SECRET, play, provider_process, sandbox
from tests.support.documents import documents_in
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase
from tests.support.sandbox_webhooks import signed_by
from tests.support.services import Service, key_settings, node_uri, service, start_node, until

SERVICES = "tests.signatures.services"
ITEM = {"sku": "apple", "quantity": 1, "unit_price": 500, "discount": 0, "total": 500}
AT = "2026-03-14T12:00:00Z"


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook."""
    return signed_by(secret, body, at)


class Shop:
    """The processes; `commands`, `consumers`, `webhooks`, `provider`, `node` can be killed and started again."""

    def __init__(self, folder: Path, node: Service, database: ReadStoreDatabase) -> None:
        webhooks_port = free_port()
        self.node = node
        self.provider = provider_process(folder, f"http://127.0.0.1:{webhooks_port}/signature-webhooks")
        self.authority = folder / "provider" / "ca.pem"
        self.keys = keys = key_settings(folder)
        self.commands = service("command_api", folder, domain=SERVICES, eventstore_uri=node_uri(node.port), **keys)
        self.settings = {
            "eventstore_uri": node_uri(node.port),
            "mongo_uri": database.uri,
            "mongo_database": database.name,
            "consumer_lease": "1.5",
            "consumer_name": "shop",
            "commands_url": self.commands.url,
            "commands_recovery_timeout": "0.2",
            "document_store": f"file:{folder / 'documents'}",
            "signature_provider": "sandbox",
            "signature_url": self.provider.url,
            "signature_key": KEY,
            "signature_recovery_timeout": "0.2",
            "signature_webhook_secret": SECRET,
            "signature_ca_file": str(self.authority),
        }
        self.consumers = service("consumers", folder, domain=SERVICES, **self.settings, **keys)
        chosen = {name: one for name, one in self.settings.items() if name.startswith(("commands", "signature"))}
        self.webhooks = service("payment_webhooks", folder, domain=SERVICES, **chosen)
        self.webhooks.port = webhooks_port
        self.webhooks.url = f"http://127.0.0.1:{webhooks_port}"
        self.webhooks._environ["EVENTFOLD_PAYMENT_WEBHOOKS_PORT_NUMBER"] = str(webhooks_port)
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.documents = documents_in(folder / "documents", folder)
        self.adapter = sandbox(self.provider.url, retries=5)
        self.http = http_session()
        self._codec = EventCodec((CONTRACT, SIGNATURE_RESULTS))

    @property
    def services(self) -> list[Service]:
        return [self.provider, self.commands, self.webhooks, self.consumers]

    async def send(self, path: str, body: Any, key: str | None = None) -> tuple[int, Any]:
        """The answer to a command, sent until there is a definite one."""
        headers = {} if key is None else {"Idempotency-Key": key}
        while True:
            try:
                async with self.http.post(self.commands.url + path, json=body, headers=headers) as response:
                    if response.status != 503:
                        return response.status, await response.json()
            except aiohttp.ClientError:
                continue

    async def ask_for(self, order_id: str) -> None:
        """Has a contract drawn up; the rest follows."""
        about = {"customer_id": f"ada-{order_id}", "customer_name": "Ada Lovelace", "currency": "USD"}
        asked = {**about, "lines": [ITEM], "total": 500, "ordered_at": AT, "confirmed_at": AT}
        status, answer = await self.send(f"/contracts/{order_id}/request", asked, f"ask-{order_id}")
        assert status == 200, answer

    async def is_asked(self, order_id: str) -> None:
        """Waits until the provider has the request."""

        async def there() -> bool:
            return await self.request_of(order_id) is not None

        await until(there, f"the provider is asked for {order_id}", 90)

    async def request_of(self, order_id: str) -> Any:
        """The request of an order at the provider, or None."""
        page = await self.adapter.list_since(None, 1000)
        found = [one for one in page.signatures if one.reference == order_id]
        assert len(found) <= 1, "an order is asked for once"
        return found[0] if found else None

    async def play(self, order_id: str, act: str, **said: str) -> None:
        """Plays the signer, once the provider has the request."""
        await self.is_asked(order_id)
        assert await play(self.provider, order_id, act, **said) == 200

    async def webhook(self, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """The answer to a webhook, signed unless it has headers."""
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = signed(sent) if headers is None else headers
        async with self.http.post(f"{self.webhooks.url}/signature-webhooks", data=sent, headers=given) as response:
            return response.status, await response.json()

    async def events(self, order_id: str) -> list[Any]:
        """The contract's events; what is personal in them is redacted."""
        stored = await self.log.read_stream(CONTRACT.stream(order_id))
        return [self._codec.decode(one, dict.fromkeys(self._codec.keys_of(one))).event for one in stored]

    async def contract(self, order_id: str) -> Contract | None:
        """The contract, folded from its stream."""
        state = None
        for event in await self.events(order_id):
            state = CONTRACT.evolve(state, event)
        return state

    async def signature(self, order_id: str) -> ContractSigned:
        """The one event that signed it."""
        (found,) = [one for one in await self.events(order_id) if isinstance(one, ContractSigned)]
        return found

    async def is_at(self, order_id: str, *statuses: Status) -> None:
        """Waits for the contract to have one of the statuses."""

        async def reached() -> bool:
            contract = await self.contract(order_id)
            return contract is not None and contract.status in statuses

        await until(reached, f"contract {order_id} is {' or '.join(statuses)}", 90)

    async def told(self, reference: str) -> SignatureResults | None:
        """What the provider told about a reference."""
        state = None
        for stored in await self.log.read_stream(SIGNATURE_RESULTS.stream(reference)):
            state = SIGNATURE_RESULTS.evolve(state, self._codec.decode(stored).event)
        return state

    async def told_statuses(self, reference: str) -> list[str]:
        """How each of it stands."""
        told = await self.told(reference)
        return [] if told is None else [str(one.status) for one in told.results.values()]

    async def is_told(self, reference: str, *statuses: str) -> None:
        """Waits until what was told about a reference stands so."""

        async def reached() -> bool:
            return await self.told_statuses(reference) == list(statuses)

        await until(reached, f"what was told about {reference} is {statuses}", 90)

    async def parked(self) -> int:
        """How many events of the consumers are parked."""
        async with self.http.get(f"{self.consumers.url}/consumers") as response:
            return sum(one["parked"] for one in (await response.json())["consumers"])

    async def metric(self, service: Service, name: str) -> float:
        """The value of a metric; 0 while it is not shown."""
        async with self.http.get(f"{service.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)

    async def close(self) -> None:
        for one in self.services:
            if one._process is not None:
                await one.kill()
        await self.http.close()
        await self.adapter.close()
        await self.log.close()
        await self.documents.close()


@asynccontextmanager
async def running_shop(folder: Path, database: ReadStoreDatabase) -> AsyncIterator[Shop]:
    """The shop with all its processes, for the block."""
    node = await start_node(folder)
    shop = Shop(folder, node, database)
    try:
        for one in shop.services:
            await one.start()
        for one in shop.services:
            await until(one.answers, f"{one.name} answers", 90)
        yield shop
    finally:
        await shop.close()
        await node.kill()

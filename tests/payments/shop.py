"""A shop that only takes payments: every part of it a process, and the sandbox provider beside it."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from domain.payments.aggregate import PAYMENT
from domain.payments.payment import Payment, Status
from domain.payments.provider_results.aggregate import PROVIDER_RESULTS
from domain.payments.provider_results.results import ProviderResults
from embedded.sandbox.secrets import KEY_VARIABLE, SECRET_VARIABLE
from infrastructure.event_codec import EventCodec
from infrastructure.event_store import EventStore
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreDatabase
from tests.support.sandbox_webhooks import signed_by
from tests.support.services import Service, node_uri, service, start_node, until

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
SERVICES = "tests.payments.services"
_ENDED = (Status.CHARGED, Status.DECLINED, Status.REFUNDED, Status.REFUND_FAILED)


def provider_process(folder: Path, webhook_url: str = "", *options: str) -> Service:
    """The sandbox provider, to be started; charges settle after a tenth of a second."""
    port = free_port()
    arguments = ["embedded.payment_provider", "--port", str(port), "--data-dir", str(folder / "provider")]
    arguments += ["--webhook-url", webhook_url, "--settle-after", "0.1", "--seed", "7", *options]
    secrets = {KEY_VARIABLE: KEY, SECRET_VARIABLE: SECRET}
    return Service("provider", port, arguments, secrets, folder / "provider.log")


async def put(provider: Service, what: str, **values: Any) -> None:
    """Tells the sandbox how to behave: its `faults` or `rules`."""
    async with http_session() as http, http.put(f"{provider.url}/sandbox/{what}", json=values) as response:
        assert response.status == 200, await response.text()


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook."""
    return signed_by(secret, body, at)


class Shop:
    """The processes; `commands`, `consumers`, `webhooks`, `provider`, `node` can be killed and started again."""

    def __init__(self, folder: Path, node: Service, database: ReadStoreDatabase) -> None:
        webhooks_url = f"http://127.0.0.1:{free_port()}/payment-webhooks"
        self.node = node
        self.provider = provider_process(folder, webhooks_url)
        self.commands = service("command_api", folder, domain=SERVICES, eventstore_uri=node_uri(node.port))
        shared = {
            "eventstore_uri": node_uri(node.port),
            "mongo_uri": database.uri,
            "mongo_database": database.name,
            "consumer_lease": "1.5",
            "consumer_name": "shop",
            "commands_url": self.commands.url,
            "commands_recovery_timeout": "0.2",
            "payments_url": self.provider.url,
            "payments_key": KEY,
            "payments_timeout": "1.5",
            "payments_recovery_timeout": "0.2",
            "payments_webhook_secret": SECRET,
        }
        self.settings = shared
        self.consumers = service("consumers", folder, domain=SERVICES, **shared)
        self.webhooks = service(
            "payment_webhooks",
            folder,
            domain=SERVICES,
            **{name: value for name, value in shared.items() if name.startswith(("commands", "payments"))},
        )
        self.webhooks.port = int(webhooks_url.split(":")[2].split("/")[0])
        self.webhooks.url = f"http://127.0.0.1:{self.webhooks.port}"
        self.webhooks._environ["EVENTFOLD_PAYMENT_WEBHOOKS_PORT_NUMBER"] = str(self.webhooks.port)
        self.log = EventStore(node_uri(node.port), retry_timeout=30)
        self.http = http_session()
        self._codec = EventCodec((PAYMENT, PROVIDER_RESULTS))

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

    async def ask_for(self, order_id: str, amount: int = 1900, customer: str = "ada") -> None:
        """Has a customer charged."""
        asked = {"customer_id": customer, "currency": "USD", "amount": amount}
        status, answer = await self.send(f"/payments/{order_id}/request-charge", asked, f"ask-{order_id}")
        assert status == 200, answer

    async def void(self, order_id: str) -> int:
        """Has a payment given up."""
        status, _ = await self.send(f"/payments/{order_id}/void", {"reason": "cancelled"}, f"void-{order_id}")
        return status

    async def webhook(self, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """The answer to a webhook, signed unless it has headers."""
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body)
        given = signed(sent) if headers is None else headers
        async with self.http.post(f"{self.webhooks.url}/payment-webhooks", data=sent, headers=given) as response:
            return response.status, await response.json()

    async def payment(self, order_id: str) -> Payment | None:
        """The payment, folded from its stream."""
        state = None
        for stored in await self.log.read_stream(PAYMENT.stream(order_id)):
            state = PAYMENT.evolve(state, self._codec.decode(stored).event)
        return state

    async def events(self, order_id: str) -> list[str]:
        """The types of the payment's events."""
        return [stored.type for stored in await self.log.read_stream(PAYMENT.stream(order_id))]

    async def told(self, reference: str) -> ProviderResults | None:
        """What the provider told about a reference."""
        state = None
        for stored in await self.log.read_stream(PROVIDER_RESULTS.stream(reference)):
            state = PROVIDER_RESULTS.evolve(state, self._codec.decode(stored).event)
        return state

    async def told_statuses(self, reference: str) -> list[str]:
        """How each of it stands."""
        told = await self.told(reference)
        return [] if told is None else [str(one.status) for one in told.results.values()]

    async def is_told(self, reference: str, *statuses: str) -> None:
        """Waits until what was told about a reference stands so."""

        async def reached() -> bool:
            return await self.told_statuses(reference) == list(statuses)

        await until(reached, f"what was told about {reference} is {statuses}", 60)

    async def is_at(self, order_id: str, *statuses: Status) -> None:
        """Waits for the payment to have one of the statuses."""

        async def reached() -> bool:
            payment = await self.payment(order_id)
            return payment is not None and payment.status in statuses

        await until(reached, f"payment {order_id} is {' or '.join(statuses)}", 60)

    async def all_ended(self, orders: list[str]) -> None:
        """Waits until nothing is under way."""

        async def ended() -> bool:
            payments = [await self.payment(order) for order in orders]
            return all(payment is not None and payment.status in _ENDED for payment in payments)

        await until(ended, "every payment has ended", 90)

    async def charges(self) -> list[dict[str, Any]]:
        """Every charge at the provider."""
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.http.get(f"{self.provider.url}/v1/charges?limit=1000", headers=headers) as response:
            return list((await response.json())["charges"])

    async def money_agrees(self, orders: list[str]) -> None:
        """At the provider stands what stands in our events, order by order, and one charge an order at most."""
        charges = await self.charges()
        assert max(Counter(one["reference"] for one in charges).values(), default=0) <= 1
        there = {one["reference"]: one["amount"] - one["refunded"] for one in charges if one["status"] == "succeeded"}
        ours = {}
        for order in orders:
            payment = await self.payment(order)
            assert payment is not None
            kept = payment.status in (Status.CHARGED, Status.REFUNDING, Status.REFUND_FAILED)
            ours[order] = payment.amount if kept else 0
        assert {order: there.get(order, 0) for order in orders} == ours

    async def metric(self, service: Service, name: str) -> float:
        """The value of a metric; 0 while it is not shown."""
        async with self.http.get(f"{service.url}/metrics") as response:
            lines = (await response.text()).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)

    async def parked(self) -> int:
        """How many events of both consumers are parked."""
        async with self.http.get(f"{self.consumers.url}/consumers") as response:
            return sum(one["parked"] for one in (await response.json())["consumers"])

    async def close(self) -> None:
        for one in self.services:
            if one._process is not None:
                await one.kill()
        await self.http.close()
        await self.log.close()


@asynccontextmanager
async def running_shop(folder: Path, database: ReadStoreDatabase) -> AsyncIterator[Shop]:
    """The shop with all its processes, for the block."""
    node = await start_node(folder)
    shop = Shop(folder, node, database)
    try:
        for one in shop.services:
            await one.start()
        for one in shop.services:
            await until(one.answers, f"{one.name} answers", 60)
        yield shop
    finally:
        await shop.close()
        await node.kill()

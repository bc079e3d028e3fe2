"""The whole shop as processes: stores, services, two process managers, a payment provider and a mail server, and the
people who buy, ship and operate."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp

from domain.ordering.events import OrderConfirmed
from embedded.sandbox.secrets import KEY_VARIABLE, SECRET_VARIABLE
from infrastructure.event_store import EventStore, EventStoreUnavailable
from infrastructure.outside.commands import CommandClient
from infrastructure.outside.payments.sandbox import SandboxProvider
from infrastructure.personal_data import personal_keys
from infrastructure.resilience import DependencyUnavailable
from infrastructure.settings import load_settings
from ops.payments.reconciliation import Reconciliation, mend
from tests.end_to_end.saga_log import REGRETTING, SHIPPED, SagaLog
from tests.support.http_session import http_session
from tests.support.mail_sink import MailSink, mail_sink
from tests.support.places import Place, Places, all_here
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import ROOT, Service, Within, key_settings, node_uri, start_node, until
from tests.support.shape import Shape, chosen_shape

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
MODULE = "tests.end_to_end.saga_services"

FAULTS: dict[str, Any] = {
    "latency": 0.01,
    "errors": ["500", "503", "429", "302", "not-json", "cut-off"],
    "error_share": 0.15,
    "hang_share": 0.05,
    "hang_for": 3,
    "webhook_duplicates": 1,
    "webhook_shuffled": True,
    "webhook_early": True,
    "webhook_lost_share": 0.1,
}


class SagaShop:
    """`others` are the services that are neither a store nor outside; all but the read store can be killed and started
    again. `orders` are those that were placed, `received` is the stock that came in, by article. `places` says where
    each process runs, by its name; `token` is who the test is, where the services ask.

    Without a `node`, one process has the node and all services: each of them is a part of it, and is killed with it."""

    def __init__(
        self,
        folder: Path,
        node: Service | None,
        read_store: ReadStoreServer,
        sink: MailSink,
        patience: float,
        environ: Mapping[str, str],
        *,
        places: Places = all_here,
        token: str = "",
    ) -> None:
        self.sink = sink
        node_port = free_port() if node is None else node.port
        webhooks_port = free_port()
        webhooks_at, commands_at = places("payment-webhooks").host, places("command-api").host
        self.provider = _provider(folder, f"http://{webhooks_at}:{webhooks_port}/payment-webhooks", places("provider"))
        ports = {"command-api": webhooks_port if node is None else free_port(), "payment-webhooks": webhooks_port}
        self.settings = {
            "EVENTFOLD_EVENTSTORE_URI": node_uri(node_port, places("node").host if node is None else node.host),
            "EVENTFOLD_EVENTSTORE_RETRY_TIMEOUT": "5",
            "EVENTFOLD_MONGO_URI": read_store.uri,
            "EVENTFOLD_CONSUMER_PARTITIONS": "2",
            "EVENTFOLD_COMMANDS_URL": f"http://{commands_at}:{ports['command-api']}",
            "EVENTFOLD_COMMANDS_RECOVERY_TIMEOUT": "0.2",
            "EVENTFOLD_PAYMENTS_URL": self.provider.url,
            "EVENTFOLD_PAYMENTS_KEY": KEY,
            "EVENTFOLD_PAYMENTS_TIMEOUT": "1.5",
            "EVENTFOLD_PAYMENTS_RECOVERY_TIMEOUT": "0.2",
            "EVENTFOLD_PAYMENTS_WEBHOOK_SECRET": SECRET,
            "EVENTFOLD_MAIL_URL": sink.url,
            "EVENTFOLD_MAIL_RECOVERY_TIMEOUT": "0.2",
            "PATIENCE": str(patience),
            **environ,
            **key_settings(folder),
        }
        self._folder = folder
        self._places = places
        if node is None:
            self._in_one_process(webhooks_port, node_port)
        else:
            self.node = node
            self._in_many_processes(ports, with_relay="EVENTFOLD_RELAY_DESTINATIONS" in environ)
        self.log = EventStore(self.settings["EVENTFOLD_EVENTSTORE_URI"], retry_timeout=60)
        self.http = http_session(headers={"Authorization": f"Bearer {token}"} if token else None)
        self.orders: list[str] = []
        self.received: Counter[str] = Counter()
        self._faults: dict[str, Any] = {}
        given = {name: value for name, value in self.settings.items() if name != "PATIENCE"}
        chosen = load_settings({"EVENTFOLD_AUTH": "off", **given})
        self.saga_log = SagaLog(self.log, patience, personal_keys(chosen))
        self._client = CommandClient.from_settings(chosen, "operator")
        self._charges = SandboxProvider.from_settings(chosen)

    def _in_many_processes(self, ports: Mapping[str, int], *, with_relay: bool) -> None:
        self.commands = self._service("command-api", ports["command-api"])
        self.webhooks = self._service("payment-webhooks", ports["payment-webhooks"])
        self.consumers = self._service("consumers")
        self.managers = [self._service("process-manager", name=f"manager-{one}") for one in "ab"]
        self.projector = self._service("projector")
        self.queries = self._service("query-api")
        self.others = [self.commands, self.webhooks, self.consumers, *self.managers, self.projector, self.queries]
        if with_relay:
            self.others.append(self._service("event-relay"))

    def _in_one_process(self, port: int, node_port: int) -> None:
        node_options = ["--port", str(node_port), "--data-dir", str(self._folder / "node")]
        whole = self._service("monolith", port, options=node_options)
        self.node = self.commands = self.webhooks = self.queries = whole
        self.consumers, self.projector = Within(whole, "consumers"), Within(whole, "projector")
        self.managers = [Within(whole, "process-manager")] * 2
        self.others = [whole]

    def _service(
        self, service: str, port: int | None = None, name: str = "", options: Sequence[str] = (), **own: str
    ) -> Service:
        port, name = port or free_port(), name or service
        place = self._places(name)
        environ = {
            **self.settings,
            **own,
            "EVENTFOLD_HOST": place.host,
            f"EVENTFOLD_{service.replace('-', '_').upper()}_PORT_NUMBER": str(port),
            "EVENTFOLD_CONSUMER_NAME": name,
        }
        arguments = [MODULE, service, *options]
        return Service(name, port, arguments, environ, self._folder / f"{name}.log", place=place)

    async def start(self) -> None:
        """Everything, side by side."""
        started = [self.provider, *self.others]
        for one in started:
            await one.start()
        for one in started:
            await until(one.answers, f"{one.name} answers", 600)

    async def kill(self, victim: Service) -> None:
        """Kills it, and starts it again at once."""
        await victim.kill()
        await victim.start()

    async def answers(self, service: Service) -> None:
        """Waits until it can be used again. The provider is told its faults again: it has forgotten them."""
        if service is self.node:
            await until(self._node_answers, "the node answers", 600)
            return
        await until(service.answers, f"{service.name} answers", 600)
        if service is self.provider:
            await self.goes_wrong(**self._faults)

    async def _node_answers(self) -> bool:
        assert self.node.running, self.node.log.read_text()[-2000:]
        with contextlib.suppress(EventStoreUnavailable):
            await self.log.ping()
            return True
        return False

    async def goes_wrong(self, **faults: Any) -> None:
        """The provider's faults are these from now on."""
        self._faults = faults
        async with self.http.put(f"{self.provider.url}/sandbox/faults", json=faults) as response:
            assert response.status == 200, await response.text()

    async def command(self, method: str, path: str, body: Any, key: str) -> int:
        """The status; sent until there is a definite answer."""
        while True:
            try:
                async with self.http.request(
                    method, self.commands.url + path, json=body, headers={"Idempotency-Key": key}
                ) as response:
                    problem = await response.json()
                    if response.status < 500 and problem.get("type") != "urn:eventfold:problem:contended":
                        return response.status
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.02)

    async def receive(self, sku: str, quantity: int) -> None:
        """Stock comes in."""
        self.received[sku] += quantity
        key = f"receive-{sku}-{self.received[sku]}"
        assert await self.command("POST", f"/stock/{sku}/receive", {"quantity": quantity}, key) == 200

    async def place(self, order: str, customer: str, lines: Sequence[tuple[str, int, int]]) -> None:
        """An order of sku, quantity and price; it waits for nothing but its acceptance."""
        body = {
            "customer_id": customer,
            "currency": "EUR",
            "lines": [{"sku": sku, "quantity": quantity, "unit_price": price} for sku, quantity, price in lines],
        }
        self.orders.append(order)
        assert await self.command("PUT", f"/orders/{order}", body, f"place-{order}") == 201

    async def cancel(self, order: str) -> int:
        """The customer does not want it any more."""
        return await self.command("POST", f"/orders/{order}/cancel", {"reason": "changed my mind"}, f"cancel-{order}")

    async def people(self) -> None:
        """The warehouse ships what was confirmed for some customers; others cancel then. Until it is cancelled."""
        seen: set[str] = set()
        while True:
            with contextlib.suppress(EventStoreUnavailable):
                await self.saga_log.catch_up()
            for event in self.saga_log.of(OrderConfirmed):
                if event.order_id in seen:
                    continue
                seen.add(event.order_id)
                if event.customer_id.startswith(SHIPPED):
                    body = {"carrier": "DHL", "tracking_number": "1Z"}
                    await self.command("POST", f"/orders/{event.order_id}/ship", body, f"ship-{event.order_id}")
                elif event.customer_id.startswith(REGRETTING):
                    await self.cancel(event.order_id)
            await asyncio.sleep(0.02)

    async def operate(self) -> None:
        """What operators do: dead letters are retried, and what the provider told in vain is recorded."""
        for service in (self.consumers, self.managers[0], self.projector):
            for consumer in {one["consumer"] for one in await self.dead_letters(service)}:
                async with self.http.post(f"{service.url}/dead-letters/retry", json={"consumer": consumer}) as response:
                    await response.read()
        with contextlib.suppress(DependencyUnavailable, EventStoreUnavailable):
            found = await Reconciliation(self.log, self._charges, wait=0).run()
            await mend(found.differences, self._client)

    async def dead_letters(self, service: Service) -> list[dict[str, Any]]:
        """What is shown as parked."""
        async with self.http.get(f"{service.url}/dead-letters?limit=500") as response:
            body = await response.json()
            return list(body["dead_letters"]) if response.status == 200 else []

    async def is_settled(self) -> bool:
        """Whether nothing will happen any more but by people."""
        with contextlib.suppress(EventStoreUnavailable, DependencyUnavailable):
            await self.saga_log.catch_up()
            if self.saga_log.unsettled(self.orders):
                return False
            async with self.http.get(f"{self.provider.url}/sandbox/status") as response:
                status = await response.json()
            if status["settling"] or status["webhooks_undelivered"]:
                return False
            return not (await Reconciliation(self.log, self._charges, wait=0).run()).differences
        return False

    async def settle(self, seconds: float) -> None:
        """Waits until it is; where nothing moves for a second, operators do their part."""
        moved, position = monotonic(), self.saga_log.position

        async def settled() -> bool:
            nonlocal moved, position
            if await self.is_settled():
                return True
            if self.saga_log.position != position:
                moved, position = monotonic(), self.saga_log.position
            elif monotonic() > moved + 1:
                await self.operate()
                moved = monotonic()
            return False

        try:
            await until(settled, "all is settled", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.saga_log.unsettled(self.orders)}") from None

    async def charges(self) -> list[dict[str, Any]]:
        """Every charge, as the provider lists them."""
        found: dict[str, dict[str, Any]] = {}
        after, more = 0, True
        while more:
            async with self.http.get(
                f"{self.provider.url}/v1/charges?limit=1000&after={after}", headers={"Authorization": f"Bearer {KEY}"}
            ) as response:
                page = await response.json()
            found |= {one["id"]: one for one in page["charges"]}
            after, more = page["next"], page["more"]
        return list(found.values())

    async def query(self, path: str) -> Any:
        """The answer to a query; where its view is still behind, it is asked again."""
        until_given_up = monotonic() + 120
        while True:
            async with self.http.get(self.queries.url + path) as response:
                is_behind = response.status == 503 and (await response.json())["type"].endswith(":view-behind")
                if not is_behind or monotonic() > until_given_up:  # the query API itself waits before it says so
                    assert response.status == 200, await response.text()
                    return await response.json()

    async def verify(self, root: Path = ROOT) -> str:
        """What `eventfold views verify --all` prints; it must find no difference. `root` is the tree whose code it
        runs."""
        environ = {name: value for name, value in self.settings.items() if name != "PATIENCE"}
        command, log = ["ops.cli", "views", "verify", "--all"], self._folder / f"verify-{free_port()}.log"
        verifying = Service("verify", 0, command, environ, log, root=root)
        await verifying.start()
        code = await verifying.ended()
        assert code == 0, log.read_text()[-3000:]
        return log.read_text()

    async def close(self) -> None:
        for one in (self.provider, *self.others):
            if one.was_started:
                await one.kill()
        await self._client.close()
        await self._charges.close()
        await self.http.close()
        await self.log.close()


def _provider(folder: Path, webhook_url: str, place: Place) -> Service:
    port = free_port()
    arguments = ["embedded.payment_provider", "--port", str(port), "--data-dir", str(folder / "provider")]
    arguments += ["--host", place.host, "--webhook-url", webhook_url, "--settle-after", "0.3", "--seed", "7"]
    secrets = {KEY_VARIABLE: KEY, SECRET_VARIABLE: SECRET}
    return Service("provider", port, arguments, secrets, folder / "provider.log", place=place)


@asynccontextmanager
async def running_saga_shop(
    folder: Path,
    patience: float,
    environ: Mapping[str, str] | None = None,
    shape: Shape | None = None,
    *,
    root: Path = ROOT,
) -> AsyncIterator[SagaShop]:
    """The shop on an empty log, for the block, in the shape that the run is for unless one is named; its services have
    the variables of `environ` besides their settings. `root` is the tree whose code the node and the services run."""
    async with AsyncExitStack() as stack:
        node = None
        if (shape or chosen_shape()) is Shape.MANY:
            node = await start_node(folder, root=root)
            stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        sink = await stack.enter_async_context(mail_sink(folder))
        shop = SagaShop(folder, node, read_store, sink, patience, environ or {})
        stack.push_async_callback(shop.close)
        for one in shop.others:
            one.root = root
        await shop.start()
        yield shop

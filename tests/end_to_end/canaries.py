"""The services as `eventfold up` runs them, with secrets, tokens and persons that nobody else has, led into trouble.

What any of them says anywhere is kept, to be searched for these.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from motor.motor_asyncio import AsyncIOMotorClient

from application import APPLICATION
from domain.customers.events import Address, CustomerRegistered, CustomerRenamed
from embedded.supervisor.service import Timings
from embedded.supervisor.supervisor import Supervisor
from infrastructure.event_codec import EventCodec, EventMetadata
from infrastructure.event_store import NO_STREAM, EventStore, NewEvent
from infrastructure.personal_data import personal_keys
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.signing_key import read_signing_key
from infrastructure.settings import Settings
from ops.locations import own_key_store, own_master_key
from ops.stack.specs import Ports, stages
from tests.support.decider import NOON
from tests.support.http_session import http_session
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.ports import free_port
from tests.support.services import ROOT, Service, restart_node, start_node, until

PAYMENTS, WEBHOOKS, EVENT_STORE, MAIL = (
    "the payment provider's key",
    "the webhooks' secret",
    "the event store's password",
    "the mail server's password",
)
SECRETS = {
    PAYMENTS: "canary-payments-key-4471",
    WEBHOOKS: "canary-webhook-secret-4472",
    EVENT_STORE: "canary-eventstore-password-4473",
    MAIL: "canary-mail-password-4474",
}
NOT_A_TOKEN = "canary-not-a-token-4475"
SHOPPER, FORGOTTEN, MISPLACED, UNBORN, USELESS = "c-1", "c-2", "c-3", "c-4", "c-5"
"""A customer; one who is forgotten; and three with an event that can't be handled: it stood elsewhere, it changes a
name before there is one, it is of no use once it is decrypted."""


def person(number: int) -> dict[str, Any]:
    """The personal fields of a customer, as `PUT /customers/...` takes them."""
    return {
        "name": f"Canary-Name-88{number}1",
        "email": f"canary-mail-88{number}2@home.example",
        "address": {
            "street": f"Canary-Street-88{number}3",
            "city": f"Canary-City-88{number}4",
            "postal_code": f"88{number}5",
            "country": "GB",
        },
    }


def personal(number: int) -> dict[str, str]:
    """What to search for of that customer."""
    whole = person(number)
    return {
        f"the name of customer {number}": whole["name"],
        f"the mail address of customer {number}": whole["email"].partition("@")[0],
        f"the street of customer {number}": whole["address"]["street"],
        f"the city of customer {number}": whole["address"]["city"],
    }


class RefusingMailServer:
    """Takes mails of who logs in with the right password, and refuses every recipient with an answer that repeats him,
    as mail servers do."""

    def __init__(self) -> None:
        self.refused = 0
        self.logged_in = 0

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, _envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        self.refused += 1
        return f"550 5.1.1 <{address}>: there is no such mailbox"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password.decode() == SECRETS[MAIL]
        self.logged_in += right
        return AuthResult(success=right)


@asynccontextmanager
async def refusing_mail_server(port: int) -> AsyncIterator[RefusingMailServer]:
    """Listens for the block."""
    handler = RefusingMailServer()

    def protocol() -> SMTP:
        return SMTP(
            handler, authenticator=handler.authenticate, auth_required=True, auth_require_tls=False, hostname="mail"
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    try:
        yield handler
    finally:
        server.close()


class Planted:
    """The running services, and what they have said so far: `answers` by the request that each is the answer to."""

    def __init__(self, folder: Path, ports: Ports, node: Service, receiver: OtlpReceiver, environ: Mapping[str, str]):
        self.folder, self.ports, self.node, self.receiver, self.environ = folder, ports, node, receiver, environ
        self.http: aiohttp.ClientSession
        self.mail: RefusingMailServer
        self.answers: dict[str, str] = {}
        self.statuses: list[int] = []
        self.keys = DevelopmentKeys(folder)
        self._signing = read_signing_key(self.keys.signing_key, "the key", Settings().authentication)
        self.tokens = {
            role: self._signing.token(subject, roles=(role,), ttl=3600, now=time.time())
            for role, subject in {"customer": SHOPPER, "staff": "grace", "operator": "olga", "service": "s"}.items()
        }
        self.expired = self._signing.token("late", roles=("staff",), ttl=60, now=time.time() - 7200)

    @property
    def services(self) -> dict[str, int]:
        """The port of each HTTP service."""
        names = ("command_api", "query_api", "projector", "consumers", "process_manager", "payment_webhooks")
        return {name: getattr(self.ports, name) for name in names}

    def secrets(self) -> dict[str, str]:
        """What nobody may say anywhere. Of tokens the signature."""
        key: dict[str, Any] = json.loads(self.keys.signing_key.read_text())
        tokens = {f"the token of {role}": token.rpartition(".")[2] for role, token in self.tokens.items()}
        return {
            **SECRETS,
            **tokens,
            "an expired token": self.expired.rpartition(".")[2],
            "what is no token": NOT_A_TOKEN,
            "the signing key": key["d"],
            "the master key": own_master_key(self.folder).read_text().split()[-1],
        }

    async def ask(
        self, method: str, service: str, path: str, body: Any = None, *, token: str = "", **headers: str
    ) -> tuple[int, Any]:
        """A request with a token; its answer is kept with its headers."""
        url = f"http://127.0.0.1:{self.services[service]}{path}"
        given = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, url, json=body, headers={**given, **headers}) as response:
            text = await response.text()
            self.answers[f"{len(self.answers)}: {method} {path} of {service}"] = f"{dict(response.headers)} {text}"
            self.statuses.append(response.status)
            with suppress(ValueError):
                return response.status, json.loads(text)
            return response.status, text

    async def eventfold(self, *arguments: str) -> int:
        """A command as an operator runs it: its exit code; what it prints is kept."""
        ran = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops.cli", *arguments, "--data-dir", str(self.folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
            env=dict(self.environ),
        )
        output, _ = await ran.communicate()
        self.answers[f"{len(self.answers)}: eventfold {' '.join(arguments)}"] = output.decode()
        return ran.returncode or 0

    async def command(self, path: str, body: Any = None, *, method: str = "POST", role: str = "staff") -> int:
        """A command that is carried out; its position."""
        status, answer = await self.ask(method, "command_api", path, body or {}, token=self.tokens[role])
        assert status in (200, 201), answer
        return int(answer["position"])

    async def poison(self) -> None:
        """Events that no command would append: one that was moved within its customer's stream, one of a customer who
        is not known, and one that is of no use once it is decrypted."""
        store = EventStore(self.environ["EVENTFOLD_EVENTSTORE_URI"], retry_timeout=10)
        settings = Settings.of(
            key_store=f"file:{own_key_store(self.folder)}", master_key_file=str(own_master_key(self.folder))
        )
        keys = personal_keys(settings)
        codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys)
        try:
            (moved,) = await store.read_stream(f"customer-{MISPLACED}")
            copy = NewEvent(str(uuid.uuid4()), moved.type, moved.data, moved.metadata)
            await store.append(moved.stream, moved.revision, [copy])
            # Only where somebody becomes known a key is made, so this one is encoded, and not appended.
            await codec.encoder(f"customer-{UNBORN}", [_registered(UNBORN, person(4))])
            useless = msgspec.structs.replace(
                _registered(USELESS, person(5)), address=[personal(5)["the street of customer 5"]]
            )
            for stream, event in (
                (f"customer-{UNBORN}", CustomerRenamed(UNBORN, person(4)["name"], NOON)),
                (f"customer-{USELESS}", useless),
            ):
                encode = await codec.encoder(stream, [event])
                await store.append(stream, NO_STREAM, [encode(event, EventMetadata(), str(uuid.uuid4()))])
        finally:
            await store.close()
            await keys.close()

    async def read_store(self) -> dict[str, str]:
        """Everything in the read store, by collection."""
        client: Any = AsyncIOMotorClient(f"mongodb://127.0.0.1:{self.ports.read_store}/?directConnection=true")
        database = client["eventfold"]
        names = await database.list_collection_names()
        found = {name: repr(await database[name].find({}).to_list(10_000)) for name in names}
        client.close()
        return found

    def logs(self) -> dict[str, str]:
        """What each service has written to stdout and stderr."""
        files = [*self.folder.glob("logs/*.log"), *self.folder.glob("*.log")]
        return {file.name: file.read_text() for file in files}


def _registered(customer: str, of: Mapping[str, Any]) -> CustomerRegistered:
    return CustomerRegistered(customer, of["name"], of["email"], Address(**of["address"]), NOON)


@asynccontextmanager
async def planted(folder: Path) -> AsyncIterator[Planted]:
    """Everything running with the planted secrets, every span sent to a collector of ours."""
    async with AsyncExitStack() as stack:
        ports = Ports(*(free_port() for _ in Ports.__dataclass_fields__))
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        receiver = await stack.enter_async_context(otlp_receiver())
        mail = await stack.enter_async_context(refusing_mail_server(ports.smtp))
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EVENTFOLD_")},
            **receiver.environ,
            "EVENTFOLD_EVENTSTORE_URI": f"esdb://admin:{SECRETS[EVENT_STORE]}@127.0.0.1:{node.port}?Tls=false",
            "EVENTFOLD_MAIL_URL": f"smtp://eventfold:{SECRETS[MAIL]}@127.0.0.1:{ports.smtp}",
            "EVENTFOLD_PAYMENTS_KEY": SECRETS[PAYMENTS],
            "EVENTFOLD_PAYMENTS_WEBHOOK_SECRET": SECRETS[WEBHOOKS],
            "EVENTFOLD_AUTH_METRICS": "token",
            "EVENTFOLD_LOG_LEVEL": "debug",
            "EVENTFOLD_EVENTSTORE_RETRY_TIMEOUT": "0.3",
            "EVENTFOLD_PERSONAL_KEY_CACHE_SECONDS": "0.2",
            "EVENTFOLD_METRICS_INTERVAL": "0.5",
        }
        specs = stages(folder, "127.0.0.1", ports, environ)
        await stack.enter_async_context(Supervisor(folder, specs, timings=Timings(stop_grace=2.0)).running())
        planted = Planted(folder, ports, node, receiver, environ)
        planted.mail = mail
        planted.http = await stack.enter_async_context(http_session())
        yield planted


async def live_through_trouble(planted: Planted) -> None:
    """Orders, customers, poison, strangers, wrong signatures, refused mails, a dead event store, somebody forgotten."""
    await _customers_and_orders(planted)
    await _strangers(planted)
    await planted.poison()
    await until(lambda: _dead_letters(planted, 3), "three customers have dead letters", 60)
    for customer in (MISPLACED, UNBORN, USELESS):
        await planted.ask(
            "POST",
            "command_api",
            f"/customers/{customer}/change-name",
            {"name": person(3)["name"]},
            token=planted.tokens["staff"],
        )
        await planted.ask("GET", "query_api", f"/customers/{customer}/history", token=planted.tokens["staff"])
    await _forget(planted)
    for arguments in (
        ("status",),
        ("status", "--json"),
        ("doctor",),
        ("dead-letters", "list"),
        ("audit", "checkpoint"),
    ):
        await planted.eventfold(*arguments)
    await _without_event_store(planted)


async def _customers_and_orders(planted: Planted) -> None:
    for customer, number in ((SHOPPER, 1), (FORGOTTEN, 2), (MISPLACED, 3)):
        await planted.command(f"/customers/{customer}", person(number), method="PUT")
    for sku in ("apple", "pear"):
        await planted.command(f"/stock/{sku}/receive", {"quantity": 50})
    for order, customer in (("o-1", SHOPPER), ("o-2", FORGOTTEN)):
        lines = [{"sku": "apple", "quantity": 1, "unit_price": 500}]
        body = {"customer_id": customer, "currency": "EUR", "lines": lines}
        await planted.command(f"/orders/{order}", body, method="PUT")

    async def refused() -> bool:
        answers = [
            await planted.ask("GET", "query_api", f"/notifications/{one}", token=planted.tokens["staff"])
            for one in ("o-1", "o-2")
        ]
        return all(status == 200 and answer["status"] == "failed" for status, answer in answers)

    await until(refused, "the mail server has refused both mails, and that is recorded", 90)
    wrong = {
        "name": "n" * 300,
        "email": f"{person(1)['email']}@",
        "address": {**person(1)["address"], "country": "Nowhere"},
    }
    await planted.ask("PUT", "command_api", "/customers/c-9", wrong, token=planted.tokens["staff"])
    await planted.ask(
        "PUT",
        "command_api",
        "/customers/c-9",
        {**person(1), "address": person(1)["name"]},
        token=planted.tokens["staff"],
    )
    await planted.ask("PUT", "command_api", f"/customers/{SHOPPER}", person(2), token=planted.tokens["customer"])


async def _strangers(planted: Planted) -> None:
    """Who has no token, none that is valid, or none that allows it, at every service."""
    forged = planted.tokens["staff"].rpartition(".")[0] + ".Y2FuYXJ5"
    for service in planted.services:
        for token in (NOT_A_TOKEN, planted.expired, forged, planted.tokens["customer"], planted.tokens["service"]):
            for path in ("/metrics", "/log-level", "/orders", f"/nowhere?access_token={planted.tokens['customer']}"):
                await planted.ask("GET", service, path, token=token)
        await planted.ask("GET", service, "/orders", Authorization=f"Basic {NOT_A_TOKEN}")
    for signature in (NOT_A_TOKEN, f"t=1,v1={NOT_A_TOKEN}", f"t={int(time.time())},v1={SECRETS[WEBHOOKS]}"):
        headers = {"Sandbox-Signature": signature}
        await planted.ask("POST", "payment_webhooks", "/payment-webhooks", {"id": "evt"}, **headers)


async def _dead_letters(planted: Planted, number: int) -> bool:
    status, page = await planted.ask("GET", "projector", "/dead-letters", token=planted.tokens["operator"])
    assert status == 200, page
    for one in page["dead_letters"]:
        consumer, position = one["consumer"], one["position"]
        await planted.ask("GET", "projector", f"/dead-letters/{consumer}/{position}", token=planted.tokens["operator"])
    return len({one["stream"] for one in page["dead_letters"]}) >= number


async def _forget(planted: Planted) -> None:
    assert await planted.eventfold("privacy", "forget", FORGOTTEN) == 0, list(planted.answers.values())[-1]

    async def erased() -> bool:
        status, answer = await planted.ask(
            "GET", "query_api", f"/customers/{FORGOTTEN}/profile", token=planted.tokens["staff"]
        )
        return status == 200 and answer["status"] == "erased"

    await until(erased, "the forgotten customer is erased", 60)


async def _without_event_store(planted: Planted) -> None:
    await planted.node.kill()
    staff = planted.tokens["staff"]
    status, _ = await planted.ask("PUT", "command_api", "/customers/c-10", person(1), token=staff)
    assert status == 503
    await planted.ask("GET", "query_api", f"/customers/{SHOPPER}/history", token=staff)
    for service in planted.services:
        await planted.ask("GET", service, "/health/ready")
    await restart_node(planted.node)
    await until(lambda: _ready(planted), "every service is ready again", 60)


async def _ready(planted: Planted) -> bool:
    return all([(await planted.ask("GET", one, "/health/ready"))[0] == 200 for one in planted.services])

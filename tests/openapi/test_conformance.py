"""Every service against its own OpenAPI document, by Schemathesis with every check on: right and wrong requests, every
method, and calls that follow from one another; asked by each role, one role in a run."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from examples.subscriber.webhook import WebhookSubscriber
from infrastructure.security.roles import ROLES
from infrastructure.security.signing_key import SigningKey
from infrastructure.settings import Settings
from tests.end_to_end.conftest import LINE
from tests.security.services import LINK_KEYS, SOURCES
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.read_store import ReadStoreServer
from tests.support.services import ROOT, Service, key_settings, node_uri, running, start_node, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET_OF_THE_WAREHOUSE = "a secret of the tests alone"
ORDER = {"customer_id": "ada", "currency": "USD", "lines": [LINE], "ordered_at": "2026-03-14T12:00:00Z"}
ALL_PHASES = "examples,coverage,fuzzing,stateful"
# Tokens are asked for, and Schemathesis tries without.
SECRET = "0123456789abcdef0123456789abcdef"
GUARDED = {"auth": "on", "auth_secret": SECRET, "auth_metrics": "token"}
ALL = "operator service staff"
"""Who may do everything, and so comes deepest into the services."""
ASKERS = (ALL, *ROLES)
DAY = datetime.now(UTC).toordinal()
OF_THE_DAY = ASKERS[DAY % len(ASKERS)]


def token_of(roles: str) -> str:
    """A token of somebody with these roles, names with spaces between."""
    key = SigningKey.from_secret(Settings.of(auth_secret=SECRET).authentication)
    return key.token("tester", roles=roles.split(), ttl=7_200, now=time.time())


BEARER = {"Authorization": f"Bearer {token_of(ALL)}"}
PATIENT = {
    **GUARDED,
    # On a busy machine nothing is to be refused as too slow; only a position far off is not waited for.
    "eventstore_deadline": "60",
    "readstore_timeout": "60",
    "http_head_timeout": "60",
    "http_body_timeout": "60",
    "http_idle_timeout": "600",
    "at_least_timeout": "0.05",
}
SERVICES = ("command_api", "query_api", "projector", "consumers", "process_manager", "payment_webhooks", "signing_page")
SERVICES += ("inbound", "event_relay")
# The relay takes minutes, and so is among the slow ones alone.
SERVICES_OF_THE_DAY = SERVICES[:-1][DAY // len(ASKERS) % 2 :: 2]
_OUTSIDE = {
    "payments_webhook_secret": SECRET_OF_THE_WAREHOUSE,
    "inbound_sources": str(SOURCES),
    "document_link_key_file": str(LINK_KEYS),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Service]]:
    """All of them, over one node and one read store, with an order that every view shows."""
    folder = tmp_path_factory.mktemp("openapi")
    async with AsyncExitStack() as stack:
        node = await start_node(folder)
        stack.push_async_callback(node.kill)
        read_store = ReadStoreServer(folder)
        await asyncio.to_thread(read_store.start)
        stack.callback(read_store.kill)
        settings = {"eventstore_uri": node_uri(node.port), "mongo_uri": read_store.uri, **PATIENT}
        names = ("command_api", "projector", "query_api")
        found = {name: await stack.enter_async_context(running(name, folder, **settings)) for name in names}
        # Its destination takes what comes, or each `/drain` would wait for as long as it was asked to. A stream of
        # events ends at once, where it lasts for an hour.
        subscriber = WebhookSubscriber(SECRET_OF_THE_WAREHOUSE.encode())
        await stack.enter_async_context(subscriber.listening())
        relay = {"relay_destinations": _destinations(folder, subscriber.url), "relay_stream_lasts": "0.05"}
        found["event_relay"] = await stack.enter_async_context(running("event_relay", folder, **settings, **relay))
        commands = {"commands_url": found["command_api"].url}
        found["consumers"] = _service(folder, "consumers", ["tests.subscriptions.event_counts"], settings)
        module = ["tests.process_manager.bundled", "process-manager"]
        found["process_manager"] = _service(folder, "process_manager", module, {**settings, **commands})
        outer = {**settings, **commands, "queries_url": found["query_api"].url, **_OUTSIDE}
        for name in ("payment_webhooks", "signing_page", "inbound"):
            found[name] = _service(folder, name, ["ops.cli", name.replace("_", "-")], outer)
        for service in found.values():
            if not service.was_started:
                await service.start()
                stack.push_async_callback(service.kill)
            # The brokers of the inbound service are not there.
            path = "/health/live" if service is found["inbound"] else "/health/ready"
            await until(lambda service=service, path=path: service.answers(path), f"{service.name} is ready", 60)
        async with http_session(headers=BEARER) as http:
            url = f"{found['command_api'].url}/orders/0"
            async with http.put(url, json=ORDER) as response:
                assert response.status == 201
            async with http.post(f"{found['projector'].url}/drain?timeout=60") as response:
                assert response.status == 200
        yield found


def _destinations(folder: Path, url: str) -> str:
    (folder / "warehouse.secret").write_text(SECRET_OF_THE_WAREHOUSE)
    file = folder / "destinations.toml"
    file.write_text(
        f'[[destinations]]\nname = "warehouse"\nkind = "webhook"\nurl = "{url}"\ntypes = ["ordering.*"]\n'
        'secret_file = "warehouse.secret"\ntimeout = 60\n'
    )
    return str(file)


def _service(folder: Path, name: str, module: list[str], settings: dict[str, str]) -> Service:
    port = free_port()
    environ = {f"EVENTFOLD_{key.upper()}": value for key, value in settings.items()}
    environ |= {f"EVENTFOLD_{name.upper()}_PORT_NUMBER": str(port), **key_settings(folder)}
    return Service(name, port, module, environ, folder / f"{name}.log")


async def conforms(service: Service, roles: str, seed: int, examples: int, phases: str = ALL_PHASES) -> None:
    """Runs Schemathesis on the service, with a token of the roles; what it finds is the failure's text."""
    config = Path(__file__).with_name("schemathesis.toml")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{service.url}/schema/openapi.json", "--checks", "all", "--no-color", "--phases", phases),
        *("--seed", str(seed), "--max-examples", str(examples), "--header", f"Authorization: Bearer {token_of(roles)}"),
    ]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = await asyncio.to_thread(
        subprocess.run, command, cwd=service.log.parent, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-2000:]
    assert "Test Phases" in ran.stdout
    assert '"a request failed"' not in service.log.read_text()


# Each role in its turn, by the day, and half of the services; their names are in the test's.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("roles", [OF_THE_DAY])
@pytest.mark.parametrize("name", SERVICES_OF_THE_DAY)
async def test_a_service_is_what_its_document_says(services: dict[str, Service], name: str, roles: str) -> None:
    # The documents have few examples, and those are covered with everything else.
    await conforms(services[name], roles, seed=1, examples=2, phases="coverage,fuzzing,stateful")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("roles", ASKERS)
@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_is_to_every_role_what_its_document_says(
    services: dict[str, Service], name: str, roles: str
) -> None:
    await conforms(services[name], roles, seed=1, examples=2, phases="coverage,fuzzing,stateful")


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(2, 7))
@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_is_what_its_document_says_over_many_seeds(
    services: dict[str, Service], name: str, seed: int
) -> None:
    await conforms(services[name], ALL, seed, examples=25)

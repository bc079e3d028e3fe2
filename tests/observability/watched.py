"""The services as `eventfold up` runs them, watched by a real Prometheus that a real Alertmanager listens to."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from embedded.supervisor.service import ServiceSpec, Timings
from embedded.supervisor.supervisor import Supervisor
from ops.stack.specs import Ports, stages
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.services import ROOT, until

PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
TRACING = {"OTEL_TRACES_EXPORTER": "console", "OTEL_BSP_SCHEDULE_DELAY": "200"}
"""Every request has a trace, and it is in the service's log."""
NOBODY_THERE = "smtp://127.0.0.1:9"
"""A mail server that is away."""

# What is waited for in minutes elsewhere.
_FAST = {"EVENTFOLD_METRICS_INTERVAL": "0.3", "EVENTFOLD_MAIL_RECOVERY_TIMEOUT": "0.3"}
_SECONDS_OF_LAG = 2


def order_of(customer: str) -> dict[str, Any]:
    """An order of one article of which there is enough."""
    return {"customer_id": customer, "currency": "EUR", "lines": [{"sku": "sku-0", "quantity": 1, "unit_price": 500}]}


class Watched:
    """The ports of the services, and the addresses of those who watch them; `logs` is where everybody's log is."""

    def __init__(self, ports: Ports, http: aiohttp.ClientSession, logs: Path) -> None:
        self.ports = ports
        self.http = http
        self.logs = logs
        self.prometheus = self.alertmanager = ""

    async def command(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> int:
        """The status of a command."""
        url = f"http://127.0.0.1:{self.ports.command_api}{path}"
        async with self.http.request(method, url, json=body, headers=headers) as response:
            await response.read()
            return response.status

    async def place(self, order: str, customer: str, headers: Mapping[str, str] | None = None) -> None:
        """An order that is taken."""
        status = await self.command("PUT", f"/orders/{order}", order_of(customer), headers)
        assert status == 201, status

    async def query(self, path: str) -> tuple[int, Any]:
        """The status and the answer of a query."""
        async with self.http.get(f"http://127.0.0.1:{self.ports.query_api}{path}") as response:
            return response.status, await response.json(content_type=None)

    async def ask(self, path: str, **parameters: str) -> Any:
        """What Prometheus's API says. Fails where it finds the question wrong."""
        async with self.http.get(f"{self.prometheus}/api/v1/{path}", params=parameters) as response:
            answer = await response.json()
            assert answer["status"] == "success", (parameters, answer)
            return answer["data"]

    async def value(self, expression: str) -> list[Any]:
        """The series that an expression has now."""
        return list((await self.ask("query", query=expression))["result"])

    async def alerts(self) -> list[dict[str, str]]:
        """The labels of every alert that has reached Alertmanager."""
        async with self.http.get(f"{self.alertmanager}/api/v2/alerts") as response:
            return [alert["labels"] for alert in await response.json()]

    async def metrics(self, port: int) -> str:
        """What a service shows."""
        async with self.http.get(f"http://127.0.0.1:{port}/metrics") as response:
            return await response.text()


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    """Everything running, for the block: services over an empty log whose mail server is away, and who watches them."""
    async with AsyncExitStack() as stack:
        ports = Ports(*(free_port() for _ in Ports.__dataclass_fields__))
        environment = {**os.environ, **_FAST, **TRACING, "EVENTFOLD_MAIL_URL": NOBODY_THERE}
        environment["EVENTFOLD_RELAY_DESTINATIONS"] = _destinations(folder)
        environment["EVENTFOLD_INBOUND_SOURCES"] = _sources(folder)
        specs = [[_observed(spec) for spec in stage] for stage in stages(folder, "127.0.0.1", ports, environment)]
        supervisor = Supervisor(folder, specs, timings=Timings(stop_grace=2.0))
        await stack.enter_async_context(supervisor.running())
        http = await stack.enter_async_context(http_session())
        watched = Watched(ports, http, folder / "logs")
        watched.alertmanager = await stack.enter_async_context(_alertmanager(folder, http))
        watched.prometheus = await stack.enter_async_context(_prometheus(folder, watched))
        yield watched


def _destinations(folder: Path) -> str:
    """One, where nobody takes anything: what is published lags."""
    (folder / "nobody.secret").write_text("a secret of the tests alone")
    file = folder / "destinations.toml"
    file.write_text(
        '[[destinations]]\nname = "nobody"\nkind = "webhook"\nurl = "http://127.0.0.1:9/"\n'
        'secret_file = "nobody.secret"\ntimeout = 1\nretries = 0\n'
    )
    return str(file)


def _sources(folder: Path) -> str:
    """One, whose broker is away: no messages come."""
    file = folder / "sources.toml"
    file.write_text(
        '[[sources]]\nname = "nobody"\nkind = "rabbitmq"\nurl = "amqp://127.0.0.1:9/"\nqueue = "nobody"\n'
        'dead_letters = "nobody.dead"\ntypes = ["warehouse.*"]\n'
    )
    return str(file)


def _observed(spec: ServiceSpec) -> ServiceSpec:
    command = ["tests.support.observed" if part == "ops.cli" else part for part in spec.command]
    return replace(spec, command=command)


@asynccontextmanager
async def _alertmanager(folder: Path, http: aiohttp.ClientSession) -> AsyncIterator[str]:
    assert ALERTMANAGER is not None
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/alertmanager.yml").read_text())
    configuration["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    port = free_port()
    arguments = [
        *(ALERTMANAGER, f"--config.file={_written(folder / 'alertmanager.yml', configuration)}"),
        *(f"--storage.path={folder / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{port}"),
        "--cluster.listen-address=",
    ]
    async with _running(arguments, folder / "alertmanager.log", f"http://127.0.0.1:{port}", http) as url:
        yield url


@asynccontextmanager
async def _prometheus(folder: Path, watched: Watched) -> AsyncIterator[str]:
    assert PROMETHEUS is not None
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.up.yml").read_text())
    # On a busy machine the projector, which shows the most, needs more than half a second for it.
    configuration["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
    usual, free = Ports(), watched.ports
    names = {f"127.0.0.1:{getattr(usual, name)}": name for name in Ports.__dataclass_fields__}
    for job in configuration["scrape_configs"]:
        for one in job["static_configs"]:
            one["targets"] = [f"127.0.0.1:{getattr(free, names[target])}" for target in one["targets"]]
    listener = configuration["alerting"]["alertmanagers"][0]["static_configs"][0]
    listener["targets"] = [watched.alertmanager.removeprefix("http://")]
    for name in configuration["rule_files"]:
        _written(folder / name, at_once(yaml.safe_load((ROOT / "deploy/prometheus" / name).read_text())))
    port = free_port()
    arguments = [
        *(PROMETHEUS, f"--config.file={_written(folder / 'prometheus.yml', configuration)}"),
        *(f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"),
        *("--enable-feature=exemplar-storage", "--log.level=warn"),
    ]
    async with _running(arguments, folder / "prometheus.log", f"http://127.0.0.1:{port}", watched.http) as url:
        yield url


def at_once(rules: Any) -> Any:
    """The rules with nothing to wait for: an alert fires when its expression first holds, and lag counts from a few
    seconds on."""
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
            if rule.get("alert") in ("EventfoldConsumerLags", "EventfoldDestinationLags"):
                rule["expr"] = rule["expr"].replace("> 60", f"> {_SECONDS_OF_LAG}")
    return rules


def _written(file: Path, content: Any) -> Path:
    file.write_text(yaml.safe_dump(content))
    return file


@asynccontextmanager
async def _running(arguments: Sequence[str], log: Path, url: str, http: aiohttp.ClientSession) -> AsyncIterator[str]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*arguments, stdout=output, stderr=output)

    async def ready() -> bool:
        assert process.returncode is None, f"it ended: see {log}"
        try:
            async with http.get(f"{url}/-/ready") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await until(ready, f"{arguments[0]} is ready", 60)
        yield url
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()

"""`eventfold up --single-process` as a user starts it; the move to many processes and back, on the same data."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from embedded.supervisor.run_directory import RunDirectory
from embedded.supervisor.service import Timings
from embedded.supervisor.supervisor import Supervisor
from infrastructure.settings import load_settings
from ops.locations import MONOLITH
from ops.stack.single_process import in_one_process
from ops.stack.specs import AUTH, Ports, stages
from ops.stack.supervision import supervised
from tests.ops.test_up import without_settings
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.services import ROOT, until

HOST, PATIENCE = "127.0.0.1", 600.0


@asynccontextmanager
async def stack(data_dir: Path, *, single: bool) -> AsyncIterator[Supervisor]:
    """What `eventfold up` runs, with all the time that a slow machine may need to start it."""
    ports = Ports.free(HOST)
    ports = ports.of_one_process() if single else ports
    plan = stages(data_dir, HOST, ports, {**without_settings(), AUTH: "off"})
    plan = in_one_process(plan, HOST, ports) if single else plan
    timings = Timings(start_timeout=PATIENCE, stop_grace=60)
    async with supervised(data_dir, plan, lambda _service: None, timings) as supervisor:
        yield supervisor


class Shop:
    """The stack on a data directory, whichever shape it has now."""

    def __init__(self, data_dir: Path, http: aiohttp.ClientSession) -> None:
        self._run = RunDirectory(data_dir)
        self._http = http

    def url(self, service: str) -> str:
        return self._run.read_services()[service].url

    async def command(self, method: str, path: str, body: Any) -> None:
        async with self._http.request(method, self.url("command-api") + path, json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def receive(self, quantity: int) -> None:
        await self.command("POST", "/stock/tea/receive", {"quantity": quantity})

    async def place(self, *orders: str) -> None:
        line = {"sku": "tea", "quantity": 1, "unit_price": 450}
        for order in orders:
            await self.command("PUT", f"/orders/{order}", {"customer_id": "ada", "currency": "USD", "lines": [line]})

    async def order(self, order: str) -> dict[str, Any]:
        async with self._http.get(f"{self.url('query-api')}/orders/{order}") as answer:
            return dict(await answer.json())

    async def confirmed(self, orders: Iterable[str]) -> None:
        """Waits until the sagas of these orders have come to their end."""
        for order in orders:

            async def is_confirmed(order: str = order) -> bool:
                return (await self.order(order)).get("status") == "confirmed"

            await until(is_confirmed, f"{order} is confirmed", PATIENCE)

    async def killed(self) -> None:
        """SIGKILL to the process that has the command API; waits until it is back."""
        before = self._run.read_services()["command-api"]
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)

        async def is_back() -> bool:
            now = self._run.read_services()["command-api"]
            return now.state == "ready" and now.restarts == before.restarts + 1

        await until(is_back, "it is back", PATIENCE)


def test_the_plan_for_one_process_is_that_for_many_put_together(tmp_path: Path) -> None:
    ports = Ports.from_base(9100).of_one_process()
    plan = stages(tmp_path, HOST, ports, {"EVENTFOLD_INBOUND_SOURCES": "/etc/eventfold/sources.toml"})
    many = {spec.name: spec for stage in plan for spec in stage}
    stores, (whole,) = in_one_process(plan, HOST, ports)
    assert [spec.name for spec in stores] == ["read-store", "payment-provider", "mail-sink"]
    assert (whole.name, whole.url, whole.port) == (MONOLITH, f"http://127.0.0.1:{ports.monolith}", ports.monolith)
    assert set(whole.parts) == many.keys() - {spec.name for spec in stores}
    assert whole.parts["projector"] == f"{whole.url}/-/projector"
    assert whole.parts["node"] == many["node"].url
    assert whole.command[-8:] == many["node"].command[-8:], "the options of the node are its own"
    settings = load_settings(whole.environment)
    assert settings.http.monolith_port == ports.monolith
    assert settings.consumers.name == MONOLITH
    assert settings.documents.store == load_settings(many["query-api"].environment).documents.store
    assert "EVENTFOLD_SERVICE_KEY_FILE" in whole.environment, "some of its parts send commands"
    provider = many["payment-provider"].command
    assert f"{whole.url}/payment-webhooks" in provider, "webhooks come to the one address"


def test_a_store_elsewhere_is_no_part(tmp_path: Path) -> None:
    ports = Ports.from_base(9100).of_one_process()
    elsewhere = {"EVENTFOLD_EVENTSTORE_URI": "esdb://cluster:2113", "EVENTFOLD_CONSUMER_NAME": "ours"}
    _, (whole,) = in_one_process(stages(tmp_path, HOST, ports, elsewhere), HOST, ports)
    assert "node" not in whole.parts
    assert whole.command[-1] == MONOLITH, "no options of a node"
    assert load_settings(whole.environment).consumers.name == "ours"


def test_a_part_that_can_not_start_ends_the_whole_with_the_reason(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environ = {**os.environ, "EVENTFOLD_MONOLITH_PORT_NUMBER": str(free_port()), "PYTHONPATH": str(ROOT)}
        node_options = ["--port", str(port), "--data-dir", str(tmp_path / "node")]
        command = [sys.executable, "-m", "tests.support.one_process", "command-api", *node_options]
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode != 0
    assert f"event store node: 127.0.0.1:{port} cannot be listened on: the port is taken" in ended.stderr


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_the_move_to_many_processes_and_back_loses_nothing(tmp_path: Path) -> None:
    """Orders are placed in each shape, and their sagas go on in the next; what ends a shape is a stop, then a crash."""
    first, second, third = ([f"{shape}-{number}" for number in range(5)] for shape in ("single", "many", "again"))
    async with http_session() as http:
        shop = Shop(tmp_path, http)
        async with stack(tmp_path, single=True) as supervisor:
            pids = {entry.pid for entry in RunDirectory(tmp_path).read_services().values()}
            assert len(pids) == 4, "the one process, the read store, and what stands for the outside"
            await shop.receive(100)
            await shop.place("single")
            await shop.confirmed(["single"])
            await shop.killed()
            await shop.place(*first)
        assert supervisor.services[MONOLITH].last_exit == 0
        async with stack(tmp_path, single=False) as supervisor:
            await shop.confirmed(["single", *first])
            await shop.place(*second)
            for service in supervisor.services.values():
                service.kill()
        async with stack(tmp_path, single=True) as supervisor:
            await shop.place(*third)
            await shop.confirmed(["single", *first, *second, *third])
            stock = await _stock(http, shop)
            assert (stock["on_hand"], stock["reserved"]) == (100, 16), "each order has reserved once"
            await _doctor_finds_nothing(tmp_path)
        assert supervisor.services[MONOLITH].last_exit == 0


async def _doctor_finds_nothing(data_dir: Path) -> None:
    doctor = [sys.executable, "-m", "ops.cli", "doctor", "--data-dir", str(data_dir)]
    environ = {**without_settings(), AUTH: "off"}
    found = await asyncio.to_thread(subprocess.run, doctor, env=environ, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


async def _stock(http: aiohttp.ClientSession, shop: Shop) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def is_reserved() -> bool:
        async with http.get(f"{shop.url('query-api')}/stock/tea") as answer:
            found.update(await answer.json())
        return bool(found["reserved"] >= 16)

    await asyncio.wait_for(until(is_reserved, "the view has come so far", PATIENCE), PATIENCE)
    return found

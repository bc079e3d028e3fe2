"""The log is restored from an older backup, or emptied: all are told, nothing wrong is served, and it can be healed."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from infrastructure.checkpoints import CHECKPOINTS
from infrastructure.read_store import ReadStore, StoredDocument
from infrastructure.settings import Settings
from infrastructure.view_registry import ViewRegistry
from tests.end_to_end.conftest import System
from tests.support.bundled import VIEWS
from tests.support.services import ROOT, Service, node_uri, restart_node, until

# The node's log is replaced under services that go on: in one process they end with it.
pytestmark = pytest.mark.many_processes

SETTINGS = {"consumer_lease": "1.5", "aggregate_cache_size": "0", "at_least_timeout": "1.5"}
NAMES = [view.name for view in VIEWS]
QUERIES = [
    "/orders/a1",
    "/orders",
    "/customers/ada",
    "/customers/ada/orders",
    "/daily-sales?from=2026-03-01&to=2026-03-31",
]


async def eventfold(system: System, *arguments: str) -> tuple[int, str]:
    """The exit code and the output of a command."""
    given = {"eventstore_uri": node_uri(system.node_port), "mongo_uri": system.read_store.uri}
    services = (system.commands, system.projector, system.queries)
    given |= {f"{one.name}_port_number": str(one.port) for one in services}
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **{f"EVENTFOLD_{k.upper()}": v for k, v in given.items()}}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", *arguments),
        env=environ,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return await process.wait(), output.decode()


async def backed_up(system: System, folder: Path) -> Path:
    """A backup of the log as it is now."""
    backup = folder / "backup"
    code, said = await eventfold(system, "node", "backup", "--data-dir", str(folder / "node"), "--to", str(backup))
    assert code == 0, said
    return backup


async def replace_log(system: System, folder: Path, backup: Path | None) -> None:
    """Stops the node, and starts it over a folder that was restored from a backup, or is empty."""
    await system.node.kill()
    shutil.rmtree(folder / "node")
    if backup is not None:
        code, said = await eventfold(
            system, "node", "restore", "--from", str(backup), "--data-dir", str(folder / "node")
        )
        assert code == 0, said
    await restart_node(system.node)


async def reply(system: System, service: Service, path: str) -> tuple[int, str]:
    async with system.http.get(service.url + path) as answer:
        return answer.status, await answer.text()


async def checkpoints(system: System) -> dict[str, StoredDocument]:
    """Those of every build that is live now."""
    store = ReadStore(system.read_store.uri, Settings().read_store.database)
    try:
        records = (await ViewRegistry(store).load(NAMES)).values()
        return await store.load(CHECKPOINTS, [key for one in records for key in one.target(one.live).keys])
    finally:
        await store.close()


async def told_everywhere(system: System, position: int) -> None:
    """Waits until all views say that the event at the position is missing; then it stands everywhere."""

    async def all_stopped() -> bool:
        return {one["state"] for one in (await system.views()).values()} == {"other_log"}

    await until(all_stopped, "every view is stopped", 60)
    for view in (await system.views()).values():
        assert f"at position {position}" in view["trouble"]
        assert view["lag_events"] is None
    status, text = await reply(system, system.projector, "/health/ready")
    assert (status, f"at position {position}" in text) == (503, True)
    _, metrics = await reply(system, system.projector, "/metrics")
    assert all(f'eventfold_consumer_other_log{{consumer="{name}"}} 1.0' in metrics for name in NAMES)
    assert "the log is not the one that its checkpoint was made on" in system.projector.log.read_text()
    code, said = await eventfold(system, "status")
    assert code == 1
    assert "other_log" in said
    for path in QUERIES:
        await until(lambda path=path: refused(system, path), f"{path} is refused", 60)
    _, problem = await system.query(QUERIES[0])
    assert (problem["type"], problem["code"]) == ("urn:eventfold:problem:other-log", "other-log")
    assert f"at position {position}" in problem["detail"]


async def refused(system: System, path: str) -> bool:
    status, answer = await system.query(path)
    return status == 503 and answer["code"] == "other-log"


async def healed(system: System, *orders: str) -> None:
    """Waits until every query is answered again, by these orders and no others; then verifies every document."""

    async def answers() -> bool:
        return [(await system.query(path))[0] for path in QUERIES] == [200] * len(QUERIES)

    await until(answers, "every query is answered", 90)
    await until(lambda: system.projector.answers("/health/ready"), "the projector is ready", 60)
    page: Any = await system.seen("/orders")
    assert sorted(one["order_id"] for one in page["items"]) == sorted(orders)
    assert (await system.seen("/customers/ada"))["orders"] == len(orders)
    code, said = await eventfold(system, "views", "verify", "--all")
    assert code == 0, said


async def test_a_backup_is_restored_while_everything_is_stopped(system: System, tmp_path: Path) -> None:
    first = await system.place("a1")
    backup = await backed_up(system, tmp_path)
    for order in ("a2", "a3"):
        await system.place(order)
    _, confirmed = await system.command("POST", "/orders/a1/confirm")
    gone = int(confirmed["position"])
    await system.reached(gone)
    services = (system.commands, system.projector, system.queries)
    for service in services:
        await service.stop()
    await replace_log(system, tmp_path, backup)
    before = await checkpoints(system)
    for service in services:
        await service.start()
    for service in services:
        await until(lambda service=service: service.answers(), f"{service.name} is there")
    last = await system.place("b1")
    assert first < last < gone

    await told_everywhere(system, gone)
    assert (await system.query(f"/orders/b1?at_least={last}"))[0] == 503
    code, said = await eventfold(system, "views", "verify", NAMES[0])
    assert (code, f"at position {gone}" in said, "eventfold views rebuild" in said) == (1, True, True)
    async with system.http.put(f"{system.projector.url}/views/{NAMES[0]}/partitions", json={"partitions": 2}) as answer:
        assert (answer.status, "must be rebuilt" in await answer.text()) == (409, True)
    async with system.http.post(f"{system.projector.url}/drain?timeout=5") as answer:
        assert (answer.status, "at position" in await answer.text()) == (503, True)
    assert await checkpoints(system) == before, "nothing is written"

    code, said = await eventfold(system, "views", "rebuild", "--all", "--projector", system.projector.url)
    assert code == 0, said
    await healed(system, "a1", "b1")
    assert (await system.query("/orders/a2"))[0] == 404
    assert (await system.seen("/orders/a1"))["status"] == "pending"
    assert all(view["previous"] is None for view in (await system.views()).values()), "there is no way back"
    # A position of the log that is gone is no position of this one.
    for path in ("/orders/b1", "/orders", "/customers/ada"):
        status, problem = await system.query(f"{path}?at_least={gone}")
        assert (status, problem["code"]) == (409, "unknown-position")
        assert str(gone) in problem["detail"]


@pytest.mark.parametrize("emptied", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_the_log_is_replaced_under_running_services_and_grows(
    system: System, tmp_path: Path, emptied: bool
) -> None:
    await system.place("a1")
    backup = await backed_up(system, tmp_path)
    _, confirmed = await system.command("POST", "/orders/a1/confirm")
    gone = int(confirmed["position"])
    await system.reached(gone)
    await replace_log(system, tmp_path, None if emptied else backup)
    await told_everywhere(system, gone)

    # The new log grows past the old checkpoints: another event stands there, or in the middle of where one stood.
    orders, last = [] if emptied else ["a1"], 0
    while last < 3 * gone:
        orders.append(f"b{len(orders)}")
        last = await system.place(orders[-1])
    assert {one["state"] for one in (await system.views()).values()} == {"other_log"}
    await system.projector.stop()
    await system.projector.start()
    await until(lambda: system.projector.answers(), "the projector is there")

    async def known() -> bool:
        return len(await system.views()) == len(NAMES)

    await until(known, "the projector knows the views")
    if emptied:
        orders.append("a1")
        await system.place("a1")
    await told_everywhere(system, gone)
    code, said = await eventfold(system, "views", "rebuild", "--all", "--projector", system.projector.url)
    assert code == 0, said
    await healed(system, *orders)


class TestUnasked:
    async def test_it_is_rebuilt_also_by_a_projector_that_is_killed(self, system: System, tmp_path: Path) -> None:
        system.projector._environ["EVENTFOLD_ON_OTHER_LOG"] = "rebuild"
        await system.projector.stop()
        await system.projector.start()
        await system.place("a1")
        backup = await backed_up(system, tmp_path)
        gone = await system.place("a2")
        await until(lambda: system.projector.answers(), "the projector is there")
        await system.reached(gone)
        await replace_log(system, tmp_path, backup)
        store = ReadStore(system.read_store.uri, Settings().read_store.database)

        async def rebuilding() -> bool:
            records = (await ViewRegistry(store).load(NAMES)).values()
            return any(one.candidate is not None for one in records)

        try:
            await until(rebuilding, "a view is being rebuilt", 60)
            await system.projector.kill()
            await system.projector.start()

            async def rebuilt() -> bool:
                records = (await ViewRegistry(store).load(NAMES)).values()
                return all(one.live.number == 2 and one.candidate is None for one in records)

            await until(rebuilt, "every view is rebuilt", 90)
        finally:
            await store.close()
        await system.reached(await system.place("b1"))
        await healed(system, "a1", "b1")


async def test_the_same_log_behind_another_process_stops_nobody(system: System) -> None:
    """The node is killed and comes back, and streams at the checkpoint were deleted meanwhile."""
    await system.place("a1")
    await system.reached(await system.place("a2"))
    for _ in range(3):
        await system.node.kill()
        await restart_node(system.node)
        orders = await system.place(f"c{_}")
        await system.reached(orders)
    assert {one["state"] for one in (await system.views()).values()} == {"live"}
    for path in QUERIES:
        await system.seen(path)


async def test_a_position_that_was_just_acknowledged_is_always_known(system: System) -> None:
    """The projector is stopped, so that nobody has reached it: that is 503 after the wait, never 409."""
    last = await system.place("a1")
    await system.reached(last)
    await system.projector.kill()

    async def written_and_read(number: int) -> int:
        position = await system.place(f"w{number}")
        status, problem = await system.query(f"/orders/w{number}?at_least={position}")
        assert (status, problem["type"].rpartition(":")[2]) == (503, "view-behind"), problem
        return position

    positions = await asyncio.gather(*(written_and_read(number) for number in range(20)))
    status, problem = await system.query(f"/orders/a1?at_least={max(positions) + 1_000_000}")
    assert (status, problem["code"]) == (409, "unknown-position")

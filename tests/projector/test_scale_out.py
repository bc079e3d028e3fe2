"""Several projector processes share the partitions, whoever comes, goes, dies, or is thought to be dead."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from infrastructure.read_store import Comparison
from subscriptions.membership.leases import LEASES
from tests.projector.appending import appending
from tests.projector.fleet import Fleet, fleet_over
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import Service, start_node, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEED = random.randrange(10**9)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """One log for all tests of this module, each of which projects it into a database of its own."""
    node = await start_node(tmp_path_factory.mktemp("log"))
    yield node
    await node.kill()


class Kills:
    """One process after another is killed and started again, each once something has been folded since the one before
    it: so every kill interrupts somebody at work."""

    def __init__(self, fleet: Fleet, choose: random.Random) -> None:
        self.number = 0
        self._fleet = fleet
        self._choose = choose

    async def one(self) -> None:
        fleet, began = self._fleet, monotonic()
        before = await fleet.checkpoints()
        await until(lambda: fleet.advanced(before), "something is folded", 60)
        # The pace, and any moment within a batch.
        await asyncio.sleep(max(0.0, began + 1 - monotonic()) + self._choose.random() * 0.05)
        name = self._choose.choice(list(fleet.projectors))
        await fleet.kill(name)
        await fleet.replace(name, self._choose)
        self.number += 1


async def killed_all_the_time(
    folder: Path, node: Service, database: ReadStoreDatabase, processes: int, *, kills: int = 0, seconds: float = 0
) -> None:
    """Kills so many times and for at least so long, while orders are appended; then the views are exact."""
    choose = random.Random(SEED)
    names = [f"p{number}" for number in range(processes)]
    partitions = str(2 * processes)
    async with fleet_over(folder, node, database, *names, consumer_partitions=partitions) as fleet:
        async with appending(fleet.log, choose, f"k{processes}") as appender:
            killing, began = Kills(fleet, choose), monotonic()
            while killing.number < kills or monotonic() - began < seconds:
                await killing.one()
        events = await fleet.assert_folded()
        await fleet.shared_out(*fleet.projectors)
    print(f"\nseed {SEED}: {killing.number} kills of {processes} processes, {appender.appended} of {events} events")


@pytest.mark.parametrize(("processes", "kills"), [(2, 5), pytest.param(4, 6, marks=pytest.mark.slow)])
async def test_processes_are_killed_while_orders_come_in(node, read_store_database, tmp_path, processes, kills):
    await killed_all_the_time(tmp_path, node, read_store_database, processes, kills=kills)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("processes", [2, 4])
async def test_processes_are_killed_for_a_minute(node, read_store_database, tmp_path, processes):
    await killed_all_the_time(tmp_path, node, read_store_database, processes, seconds=60)


async def test_processes_join_leave_and_die(node, read_store_database, tmp_path):
    given = {"consumer_partitions": "4", "consumer_lease": "2"}
    async with fleet_over(tmp_path, node, read_store_database, "a", **given) as fleet:
        async with appending(fleet.log, random.Random(SEED), "j"):
            await fleet.shared_out("a")
            await fleet.start("b", "c")
            await fleet.shared_out("a", "b", "c")

            assert await fleet.projectors.pop("b").stop() == 0
            # Whoever goes in an orderly way leaves nothing that others would have to wait for.
            assert "b" not in await fleet.shares()
            assert "b" not in await fleet.members()
            await fleet.shared_out("a", "c")

            await fleet.kill("a")
            await fleet.shared_out("c")
        await fleet.assert_folded()


async def test_a_process_thought_dead_wakes_up(node, read_store_database, tmp_path):
    choose = random.Random(SEED)
    async with fleet_over(tmp_path, node, read_store_database, "zombie", "heir", consumer_partitions="3") as fleet:
        async with appending(fleet.log, choose, "z"):
            for _ in range(3):
                await fleet.shared_out("zombie", "heir")
                before = await fleet.checkpoints()
                await until(lambda before=before: fleet.advanced(before), "something is folded")
                fleet.projectors["zombie"].signal(signal.SIGSTOP)
                await fleet.shared_out("heir")
                before = await fleet.checkpoints()
                await until(lambda before=before: fleet.advanced(before), "the heir folds")
                fleet.projectors["zombie"].signal(signal.SIGCONT)
            await fleet.shared_out("zombie", "heir")
        await fleet.assert_folded()


async def test_views_are_divided_anew_while_orders_come_in(node, read_store_database, tmp_path):
    async with fleet_over(tmp_path, node, read_store_database, "a", "b") as fleet:
        async with appending(fleet.log, random.Random(SEED), "d"):
            await fleet.shared_out("a", "b")
            for partitions in (4, 3, 8, 1):
                before = await fleet.checkpoints()
                for view in await fleet.records():
                    status, answer = await fleet.request("PUT", f"/views/{view}/partitions", {"partitions": partitions})
                    assert status == 200, answer
                    assert len(answer["partitions"]) == partitions
                await fleet.shared_out("a", "b")
                await until(lambda before=before: fleet.advanced(before), "something is folded")
        await fleet.assert_folded()
        await until(lambda: nothing_is_left_of_earlier_layouts(fleet), "nothing is left of earlier layouts")


async def nothing_is_left_of_earlier_layouts(fleet: Fleet) -> bool:
    layouts = {record.partition_epoch for record in (await fleet.records()).values()}
    assert layouts == {5}
    counts = [await fleet.store.count(one, {"partition_epoch": Comparison(below=5)}) for one in ("checkpoints", LEASES)]
    return counts == [0, 0]

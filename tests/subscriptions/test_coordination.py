"""Several processes with the same consumers: shares, takeovers, newer versions."""

import asyncio
import contextlib

import pytest

from infrastructure.checkpoints import partition_of
from subscriptions.coordination.plain_workload import ConsumerRecords
from tests.subscriptions.counting import Counter, assert_counted
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.mishaps import end_of_the_process
from tests.subscriptions.running import (
    RunningConsumers,
    consume_all,
    consuming,
    everybody_at,
    process_of,
)
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.logs import TinyLog, installed, switched_off, switched_on

PARTITIONS = 3


def lit(number: int) -> TinyLog:
    """So many lamps are installed, then switched on."""
    ids = [f"l{lamp}" for lamp in range(number)]
    return TinyLog(*map(installed, ids), *map(switched_on, ids))


def owners(store: MemoryReadStore) -> dict[str, str]:
    """Who has each partition."""
    return {key: lease["owner"] for key, lease in store.documents("leases").items()}


async def until_shared_out(store: MemoryReadStore, *engines: RunningConsumers) -> None:
    """Waits until each of the processes, and nobody else, has a fair share of the partitions."""
    names = {engine.heartbeat.instance for engine in engines}
    async with asyncio.timeout(60):
        while not (
            len(found := owners(store)) == PARTITIONS
            and set(found.values()) == names
            and sum(len(one.assignment.owned) for engine in engines for one in engine.followers) == PARTITIONS
        ):
            await asyncio.sleep(0.001)


async def until_run_by(engine: RunningConsumers, version: int) -> None:
    """Waits until the process follows the log with that version of its consumer."""
    async with asyncio.timeout(60):
        while [one.assignment.target.version for one in engine.followers] != [version]:
            await asyncio.sleep(0.001)


def log_of(events: TinyLog) -> ScriptedLog:
    return ScriptedLog(events.events)


async def test_two_processes_share_the_partitions():
    events, store = lit(30), MemoryReadStore()
    logs = [log_of(events), log_of(events)]
    one, other = Counter(store), Counter(store)
    given = {"consumer_partitions": PARTITIONS, "consumer_lease": 1.2}
    async with (
        consuming(logs[0], store, one, consumer_name="a", **given) as first,
        consuming(logs[1], store, other, consumer_name="b", **given) as second,
    ):
        await until_shared_out(store, first, second)
        await everybody_at(store, logs[0].end, "counter")
        one.handled.clear()
        other.handled.clear()
        events.happen(*(switched_off(f"l{lamp}") for lamp in range(30)))
        for log in logs:
            log.append(*events.events[60:])
        await everybody_at(store, logs[0].end, "counter")
        mine = next(one for one in first.followers).assignment.owned
        assert {partition_of(key, PARTITIONS) for _, key in one.handled} == set(mine)
        assert {partition_of(key, PARTITIONS) for _, key in other.handled} == set(range(PARTITIONS)) - set(mine)
        assert len(one.handled) + len(other.handled) == 30, "nothing is handled by both"
        # Each process shows the leases as it saw them last.
        names = {first.heartbeat.instance, second.heartbeat.instance}
        async with asyncio.timeout(60):
            while {one.owner for one in (await first.status()).partitions} != names:
                await asyncio.sleep(0.001)
    assert_counted(store, logs[0].events, one)


async def test_who_leaves_leaves_its_share_to_the_others():
    events, store = lit(30), MemoryReadStore()
    given = {"consumer_partitions": PARTITIONS, "consumer_lease": 0.6}
    logs = [log_of(events), log_of(events)]
    async with consuming(logs[0], store, counter := Counter(store), consumer_name="a", **given) as first:
        async with consuming(logs[1], store, Counter(store), consumer_name="b", **given) as second:
            await until_shared_out(store, first, second)
        await until_shared_out(store, first)
        events.happen(*(switched_off(f"l{lamp}") for lamp in range(30)))
        logs[0].append(*events.events[60:])
        await everybody_at(store, logs[0].end, "counter")
    assert_counted(store, logs[0].events, counter)


async def test_who_dies_is_replaced_once_its_lease_is_over():
    events, store = lit(30), MemoryReadStore()
    given = {"consumer_partitions": PARTITIONS, "consumer_lease": 0.3}
    dead = process_of(log_of(events), store, [Counter(store)], asyncio.Event(), consumer_name="a", **given)
    running = asyncio.create_task(dead.coordinator.run())
    await until_shared_out(store, dead)
    assert not running.done()
    await end_of_the_process(store)
    assert set(owners(store).values()) == {dead.heartbeat.instance}, "it had no time to give anything up"
    log = log_of(events)
    began = asyncio.get_running_loop().time()
    async with consuming(log, store, counter := Counter(store), consumer_name="b", **given) as heir:
        await until_shared_out(store, heir)
        assert asyncio.get_running_loop().time() - began > 0.25, "not before its lease was over"
        await everybody_at(store, log.end, "counter")
    assert_counted(store, log.events, counter)


async def test_a_successor_of_the_same_name_takes_its_place_at_once():
    events, store = lit(5), MemoryReadStore()
    given = {"consumer_partitions": PARTITIONS, "consumer_lease": 60.0, "consumer_name": "p"}
    dead = process_of(log_of(events), store, [Counter(store)], asyncio.Event(), **given)
    running = asyncio.create_task(dead.coordinator.run())
    await until_shared_out(store, dead)
    assert not running.done()
    await end_of_the_process(store)
    log = log_of(events)
    async with consuming(log, store, counter := Counter(store), **given) as heir, asyncio.timeout(60):
        await until_shared_out(store, heir)
        await everybody_at(store, log.end, "counter")
    assert_counted(store, log.events, counter)


class TestVersions:
    async def test_a_newer_one_takes_the_work_over_from_an_older_one(self):
        events, store = lit(5), MemoryReadStore()
        logs = [log_of(events), log_of(events)]
        old, new = Counter(store), Counter(store, version=2)
        async with consuming(logs[0], store, old, consumer_name="a", consumer_lease=0.3) as first:
            await everybody_at(store, logs[0].end, "counter")
            async with consuming(logs[1], store, new, consumer_name="b", consumer_lease=0.3) as second:
                await until_run_by(second, 2)
                async with asyncio.timeout(60):
                    while first.followers:
                        await asyncio.sleep(0.001)
                old.handled.clear()
                events.happen(*(switched_off(f"l{lamp}") for lamp in range(5)))
                for log in logs:
                    log.append(*events.events[10:])
                await everybody_at(store, logs[0].end, "counter")
                assert old.handled == []
                assert [position for position, _ in new.handled] == [event.position for event in events.events[10:]]
                record = (await ConsumerRecords(store).load())["counter"]
                assert (record.version, record.sequence) == (2, 2)
        assert_counted(store, events.events, new)

    async def test_older_code_is_given_no_more_of_its_work(self):
        events, store = lit(5), MemoryReadStore()
        await consume_all(ScriptedLog(events.events[:4]), store, Counter(store, version=2), consumer_name="p")
        log = log_of(events)
        old, other = Counter(store, version=1), Counter(store, "other")
        async with consuming(log, store, old, other, consumer_name="p") as engine:
            await everybody_at(store, log.end, "other")
            assert [one.target for one in engine.followers] == ["other"]
            status = await engine.status()
            assert (status.name, status.version, status.state) == ("counter", 2, "unowned")
            assert status.trouble == "no process knows version 2 of counter"
        assert old.handled == []
        assert store.documents("checkpoints")["counter:1:0"]["_position"] == events.events[3].position

    async def test_a_restart_with_newer_code_goes_on_where_the_older_was(self):
        events, store = lit(5), MemoryReadStore()
        await consume_all(ScriptedLog(events.events[:4]), store, Counter(store), consumer_name="p")
        log, new = log_of(events), Counter(store, version=2)
        await consume_all(log, store, new, consumer_name="p")
        assert log.subscribed_after == [events.events[3].position]
        assert_counted(store, events.events, new)


async def test_it_stays_divided_as_it_was_when_it_began():
    events, store = lit(30), MemoryReadStore()
    await consume_all(log_of(events), store, Counter(store), consumer_name="p", consumer_partitions=PARTITIONS)
    events.happen(*(switched_off(f"l{lamp}") for lamp in range(30)))
    log = log_of(events)
    await consume_all(log, store, counter := Counter(store), consumer_name="p", consumer_partitions=1)
    assert store.documents("consumer_records")["counter"]["partitions"] == PARTITIONS
    assert_counted(store, log.events, counter)


@pytest.mark.parametrize("processes", [1, 3])
async def test_of_many_that_begin_at_once_one_makes_the_record(processes):
    events, store = lit(5), MemoryReadStore()
    async with contextlib.AsyncExitStack() as stack:
        for number in range(processes):
            given = {"consumer_name": f"p{number}", "consumer_partitions": number + 1}
            await stack.enter_async_context(consuming(log_of(events), store, Counter(store), **given))
        await everybody_at(store, events.events[-1].position, "counter")
    assert store.documents("consumer_records")["counter"]["sequence"] == 1
    assert_counted(store, events.events, Counter(store))

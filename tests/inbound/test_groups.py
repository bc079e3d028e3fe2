"""Dead letters of messages in groups: found, retried and discarded as such, with a trace of who did what."""

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from inbound.dead_letters import COLLECTION
from inbound.metrics import OPEN_IN_GROUP
from inbound.reading import Reader
from inbound.records import DeadLetterRecord
from infrastructure.dead_letters.audit import stream_of
from infrastructure.dead_letters.marks import Marks
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import Write
from infrastructure.resilience import DependencyUnavailable
from subscriptions.operating.audited import Asked
from subscriptions.operating.dead_letter_groups import Portion, PortionDone
from subscriptions.operating.group_watch import GroupWatch
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter
from tests.inbound.world import V2, WAREHOUSE, World, delivery, message

CONSUMER = "inbound_warehouse"
ADA = Asked("ada", "mended")


def refused(event_id: str, key: str) -> Any:
    """One that a rule refuses."""
    data = {"delivery_id": event_id, "lines": [{"sku": f"no id {event_id}", "quantity": 1}]}
    return message(V2, data, event_id, key=key)


def newer(event_id: str, key: str) -> Any:
    """One of a version to come."""
    data = {"delivery_id": event_id, "sku": key, "quantity": 1}
    return message("warehouse.stock-delivered.v3", data, event_id, key=key)


def mend(world: World) -> None:
    """The code that takes the new version is deployed."""
    from application.inbound.warehouse import TAKEN_FROM_WAREHOUSE

    third = replace(TAKEN_FROM_WAREHOUSE.messages[0], version=3)
    upgraded = replace(TAKEN_FROM_WAREHOUSE, messages=(*TAKEN_FROM_WAREHOUSE.messages, third))
    Reader.__init__(world.reader, world.source, [upgraded])


async def two_faults(number: int) -> World:
    """So many keys with each of two faults, and one message behind each."""
    world = World()
    for one in range(number):
        await world.handle(newer(f"n-{one}", f"new{one}"), delivery(f"b-{one}", f"new{one}", 5))
        await world.handle(refused(f"r-{one}", f"old{one}"), delivery(f"c-{one}", f"old{one}", 7))
    return world


async def records(world: World) -> list[DeadLetterRecord]:
    return [one async for one in world.dead_letters.all(None)]


async def groups(world: World) -> dict[str, tuple[str, int, int]]:
    """By the class of the failure: fingerprint, how many, how many of them failed."""
    page, _ = await world.desk.groups.page(None, after=None, limit=100)
    return {
        one.group.message.partition(":")[0]: (one.group.fingerprint, one.group.count, one.group.failed) for one in page
    }


async def all_of(world: World, action: str, group: str, limit: int = 100, asked: Asked = ADA) -> list[PortionDone]:
    """Portion after portion, as the command does it."""
    done: list[PortionDone] = []
    portion = Portion(limit=limit)
    while True:
        done.append(await getattr(world.desk.groups, action)(CONSUMER, group, portion, asked))
        if done[-1].next is None:
            return done
        portion = Portion(done[-1].next, done[-1].asked_at, limit)


async def test_many_messages_are_a_few_groups_and_what_stands_behind_is_in_that_of_the_one_before():
    world = await two_faults(4)
    found = await groups(world)
    assert {name: numbers[1:] for name, numbers in found.items()} == {"unknown-version": (8, 4), "refused": (8, 4)}
    page, after = await world.desk.groups.page(CONSUMER, after=None, limit=1)
    rest, end = await world.desk.groups.page(None, after=after, limit=1)
    assert [len(page), len(rest), end] == [1, 1, None]
    assert {page[0].group.event_type, rest[0].group.event_type} == {V2, "warehouse.stock-delivered.v3"}
    fault = int(found["refused"][0], 16)
    listed, _ = await world.operations.page(CONSUMER, None, after=-1, limit=50, fault=fault)
    assert [one.error_class for one in listed] == ["refused", "behind"] * 4
    world.restart()
    await world.handle(newer("later", "another"))
    assert (await groups(world))["unknown-version"][:2] == (found["unknown-version"][0], 9), "the same in every process"


async def test_the_code_that_is_mended_handles_a_group_portion_by_portion_and_leaves_the_other_alone():
    world = await two_faults(5)
    found = await groups(world)
    group = found["unknown-version"][0]
    before = await all_of(world, "retry", group, limit=2)
    assert sum(one.outcome.remaining for one in before) == 10
    assert {(one.retries, one.first) for one in await records(world)} == {(0, 0), (0, 1), (1, 1)}
    mend(world)
    done = await all_of(world, "retry", group, limit=2)
    assert [one.outcome.replayed for one in done] == [4, 4, 2]
    assert sum(world.on_hand(f"new{one}") for one in range(5)) == 30
    assert {name: numbers[1:] for name, numbers in (await groups(world)).items()} == {"refused": (10, 5)}
    with pytest.raises(NoSuchDeadLetter, match="in a group"):
        await all_of(world, "retry", group)
    with pytest.raises(NoSuchConsumer):
        await world.desk.groups.retry("inbound_nobody", group, Portion(), ADA)


async def test_a_group_is_left_out_and_what_stood_behind_is_handled():
    world = await two_faults(3)
    group = (await groups(world))["refused"][0]
    done = await all_of(world, "discard", group, limit=2, asked=Asked("joe", "tests of theirs"))
    assert [(one.discarded, one.outcome.replayed) for one in done] == [(2, 4), (1, 2)]
    assert [world.on_hand(f"old{one}") for one in range(3)] == [7, 7, 7]
    entry = await world.operations.entry(CONSUMER, "urn:test", "r-1")
    assert entry is not None
    assert (entry.state, entry.reason, entry.by) == ("discarded", "tests of theirs", "joe")
    assert set(await groups(world)) == {"unknown-version"}
    history = await world.desk.history(None, 10)
    assert [(one.requested.action, one.requested.by, one.requested.count) for one in history] == [
        ("discard", "joe", 1),
        ("discard", "joe", 2),
    ]
    ended = history[1].ended
    assert ended is not None
    assert (ended.discarded, ended.replayed, ended.remaining, ended.fault) == (2, 2, 0, "")


async def test_what_fails_otherwise_moves_to_another_group_with_all_behind_it():
    world = World()
    await world.handle(newer("n", "no id!"), delivery("b", "tea", key="no id!"), delivery("c", "tea", key="no id!"))
    (old,) = (await groups(world)).values()
    mend(world)
    await all_of(world, "retry", old[0])
    (new,) = (await groups(world)).items()
    assert new[0] == "refused"
    assert new[1][1:] == (3, 1)
    assert new[1][0] != old[0]
    first = (await records(world))[0]
    assert (first.retries, first.retried_at > 0, first.attempts) == (1, True, 2)
    (entry,) = await world.desk.history(CONSUMER, 5)
    assert entry.ended is not None
    assert entry.ended.failures == [f"{new[1][0]} {first.message}"]


async def test_records_of_an_older_release_are_in_groups_as_well():
    world = await two_faults(2)
    marked = await groups(world)
    for record in await records(world):
        fields = msgspec.to_builtins(record)
        for name in (*Marks.__struct_fields__, "event_type"):
            fields.pop(name)
        await world.store.delete(COLLECTION, record.identity)
        await world.store.write(COLLECTION, [Write(record.identity, record.number, fields)])
    found = await groups(world)
    assert {name: one[1:] for name, one in found.items()} == {name: one[1:] for name, one in marked.items()}
    await world.handle(newer("later", "another"))
    assert (await groups(world))["unknown-version"][1:] == (5, 3)
    mend(world)
    done = await all_of(world, "retry", (await groups(world))["unknown-version"][0], limit=1)
    assert sum(one.outcome.replayed for one in done) == 5
    assert set(await groups(world)) == {"refused"}


async def test_nothing_is_done_without_a_trace():
    world = await two_faults(1)
    group, before = (await groups(world))["refused"][0], await records(world)
    world.audit_log.away = True
    for attempt in (
        lambda: all_of(world, "retry", group),
        lambda: all_of(world, "discard", group),
        lambda: world.operations.retry(CONSUMER, None),
        lambda: world.operations.discard(CONSUMER, before[0].position, "x", "joe"),
    ):
        with pytest.raises(EventStoreUnavailable):
            await attempt()
    assert await records(world) == before
    world.audit_log.away = False
    assert await world.desk.history(None, 5) == []
    await world.operations.retry(CONSUMER, None, by="bob", reason="try")
    (entry,) = await world.desk.history(CONSUMER, 5)
    assert (entry.requested.by, entry.requested.reason, entry.requested.count) == ("bob", "try", 4)
    assert {one.stream for one in world.audit_log.log} == {stream_of(CONSUMER)}


async def test_what_is_away_cuts_a_portion_off_and_a_key_in_other_hands_does_not():
    world = await two_faults(3)
    group = (await groups(world))["unknown-version"][0]
    mend(world)
    gate = await world.gates.find("warehouse", "new1")
    assert await world.gates.change(gate, shut=True, retried_until=2**52)
    (done,) = await all_of(world, "retry", group)
    assert (done.outcome.replayed, done.outcome.remaining) == (4, 2)
    assert "somebody is retrying" in done.outcome.errors[0]
    await world.gates.change(await world.gates.find("warehouse", "new1"), shut=True)

    def fail(_action: str) -> None:
        raise DependencyUnavailable("commands", "gone")

    world.commands.before = fail
    with pytest.raises(DependencyUnavailable):
        await all_of(world, "retry", group)
    (entry, _) = await world.desk.history(CONSUMER, 5)
    assert entry.ended is not None
    assert "gone" in entry.ended.fault
    world.commands.before = lambda _action: None
    (done,) = await all_of(world, "retry", group)
    assert done.outcome.replayed == 2


class Crash(BaseException):
    """The process ends."""


@pytest.mark.parametrize("action", ["retry", "discard"])
async def test_cut_off_at_any_step_it_is_simply_asked_for_again(action: str):
    """Of two keys one is mended and then fails otherwise, in what stood behind; the other is handled."""
    for step in range(action == "retry", 200, 3):
        world = World()
        await world.handle(newer("n-1", "tea"), refused("r-1", "tea"), delivery("b-1", "tea"), newer("n-2", "mug"))
        await world.handle(delivery("b-2", "mug", 5))
        if action == "retry":
            mend(world)
        group = (await groups(world))["unknown-version"][0]
        taken = 0

        async def crash(_operation: str, _collection: str, world: World = world, step: int = step) -> None:
            nonlocal taken
            taken += 1
            if taken == step + 1:
                world.store.after = nothing
                raise Crash

        world.store.after = crash
        try:
            await all_of(world, action, group)
        except Crash:
            await claims_run_out(world)
        else:
            assert step > 20
            return
        if "unknown-version" in (await groups(world)):
            await all_of(world, action, group)
        counts = {name: one[1:] for name, one in (await groups(world)).items()}
        assert counts == {"refused": (2, 1)}, f"cut off at step {step}"
        assert world.on_hand("mug") == (6 if action == "retry" else 5)
    pytest.fail("it never came to its end")


async def nothing(_operation: str, _collection: str) -> None: ...


async def claims_run_out(world: World) -> None:
    """As time passes."""
    for key in ("tea", "mug"):
        gate = await world.gates.find("warehouse", key)
        await world.gates.change(gate, shut=gate.shut)


async def test_one_that_alone_gets_no_answer_fails_again_and_the_others_go_on():
    world = World(replace(WAREHOUSE, behind="go-on"))
    for sku in ("tea", "mug"):
        world.commands.unserved = frozenset({sku})
        stuck = asyncio.create_task(world.handler.handle(delivery(f"d-{sku}", sku), world.released))
        await asyncio.sleep(0.01)
        world.commands.unserved = frozenset({sku})
        world.clock += 1
        await world.handle(delivery(f"fine-{sku}", "pot"))
        world.clock += 61
        assert await stuck
    (group,) = (await groups(world)).values()
    assert group[1:] == (2, 2)
    world.commands.unserved = frozenset({"tea"})
    (done,) = await all_of(world, "retry", group[0])
    assert (done.outcome.replayed, done.outcome.remaining) == (1, 1)
    assert (world.on_hand("tea"), world.on_hand("mug")) == (0, 1)


async def test_the_groups_are_shown_to_prometheus_and_gone_ones_are_not():
    world = await two_faults(2)
    watch = GroupWatch([CONSUMER], world.desk.groups, OPEN_IN_GROUP)

    def shown() -> dict[str, float]:
        (metric,) = OPEN_IN_GROUP.collect()
        return {one.labels["group"]: one.value for one in metric.samples}

    await watch.look()
    found = await groups(world)
    assert shown() == {found["refused"][0]: 4, found["unknown-version"][0]: 4}
    await all_of(world, "discard", found["refused"][0])
    await watch.look()
    assert shown() == {found["unknown-version"][0]: 4}

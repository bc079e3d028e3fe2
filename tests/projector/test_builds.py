"""Rebuilds, new versions, switches and partitions, over a log and a store in memory."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.view_registry import NotPossible, ViewRecord, transitions
from projector.builds.lifecycle import reached_by_builds
from projector.builds.pausing import all_wait
from read_models.model.view import View
from subscriptions.membership.leases import LeaseState
from subscriptions.membership.member import Member, PartitionReport, PauseAck
from tests.projector.lamp_rooms import LAMP_ROOMS
from tests.projector.running import RunningProjector, assert_folded, engine_over, folded_up_to, project_all
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS
from tests.support.tiny.logs import TinyLog, installed, random_log, switched_on

VIEWS = (LAMP_DETAILS, LAMP_ROOMS)

# As a query API keeps a record for part of the time that a new build keeps still; in seconds.
RECORD_AGE = 0.03


def second_version(view: View) -> View:
    """The same view under its next version."""
    return msgspec.structs.replace(view, version=2)


def record_of(store: MemoryReadStore, view: View) -> ViewRecord:
    return msgspec.convert(store.documents("view_records")[view.name], ViewRecord)


async def until(
    engine: RunningProjector, store: MemoryReadStore, view: View, met: Callable[[ViewRecord], bool]
) -> ViewRecord:
    """Waits until the view's record is as wanted."""
    async with asyncio.timeout(60):
        while not met(record := record_of(store, view)):
            assert engine.trouble is None
            await asyncio.sleep(0.001)
    return record


def now() -> int:
    return 0


async def rebuild(engine: RunningProjector, view: View) -> None:
    await engine.registry.change(view.name, lambda record: transitions.with_candidate(record, view.version, now()))
    engine.changed.set()


@contextlib.asynccontextmanager
async def up_to_date(
    log: ScriptedLog, store: MemoryReadStore, views: tuple[View, ...] = VIEWS, **others: Any
) -> AsyncIterator[RunningProjector]:
    async with engine_over(log, store, views, **({"consumer_name": "p", "consumer_lease": 0.12} | others)) as engine:
        await folded_up_to(store, log.end, views)
        yield engine


def some_lamps(number: int = 5) -> ScriptedLog:
    log = TinyLog()
    for lamp in range(number):
        log.happen(installed(f"l{lamp}", f"r{lamp % 2}"), switched_on(f"l{lamp}"))
    return ScriptedLog(log.events)


class TestRebuild:
    async def test_the_live_build_is_served_and_kept_up_until_the_new_one_takes_its_place(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            await rebuild(engine, LAMP_DETAILS)
            record = await until(engine, store, LAMP_DETAILS, lambda one: one.live.number == 2)
            assert (record.live.collection, record.candidate) == ("lamp_details_v1_r2", None)
            assert record.previous is not None
            assert record.previous.collection == "lamp_details_v1"
            more = some_lamps(9).events[10:]
            log.append(*more)
            await folded_up_to(store, log.end, VIEWS)
            assert_folded(store, log, VIEWS)
            async with asyncio.timeout(60):
                while store.documents("lamp_details_v1") != store.documents("lamp_details_v1_r2"):
                    await asyncio.sleep(0.001)

    async def test_both_builds_are_equal_and_keep_still_until_every_query_api_follows_the_switch(self):
        log, store = some_lamps(), MemoryReadStore()
        following = 0.2
        async with up_to_date(log, store, live_pause=following, previous_pause=0.4) as engine:
            await rebuild(engine, LAMP_DETAILS)
            more = iter(some_lamps(500).events[len(log.events) :])
            while record_of(store, LAMP_DETAILS).live.number == 1:
                log.append(next(more))
                await asyncio.sleep(0.001)
            loop = asyncio.get_running_loop()
            switched, before = loop.time(), store.documents("lamp_details_v1")
            while loop.time() < switched + following * 0.9:
                log.append(next(more))
                await asyncio.sleep(0.001)
                assert store.documents("lamp_details_v1_r2") == store.documents("lamp_details_v1") == before
            await folded_up_to(store, log.end, VIEWS)
        assert_folded(store, log, VIEWS)

    async def test_rebuilds_that_begin_one_after_another_share_a_subscription(self):
        log, store = some_lamps(60), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            log.silent = True
            for view in VIEWS:
                await rebuild(engine, view)
                async with asyncio.timeout(60):
                    while f"{view.collection}_r2" not in {one.target for one in engine.followers}:
                        await asyncio.sleep(0.001)
                    while engine.coordinator.followers._feeds.of(engine.followers[-1]) is None:
                        await asyncio.sleep(0.001)
            rebuilt = [one for one in engine.followers if one.target.endswith("_r2")]
            assert len({engine.coordinator.followers._feeds.of(one) for one in rebuilt}) == 1
            log.silent = False
            log.append()
            for view in VIEWS:
                await until(engine, store, view, lambda one: one.live.number == 2)
        assert_folded(store, log, VIEWS)

    async def test_a_second_one_is_refused_while_one_is_under_way(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            await rebuild(engine, LAMP_DETAILS)
            with pytest.raises(NotPossible, match="being rebuilt already"):
                await rebuild(engine, LAMP_DETAILS)

    async def test_it_goes_on_where_it_was_after_a_restart(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            log.silent = True
            await rebuild(engine, LAMP_DETAILS)
        log = ScriptedLog(log.events, cuts=[4])
        log.append()
        stuck = asyncio.Event()

        async def fifth_event(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "checkpoints"):
                keys = store.documents("checkpoints")
                if any(key.startswith("lamp_details_v1_r2") for key in keys):
                    stuck.set()

        store.after = fifth_event
        async with engine_over(log, store, VIEWS, consumer_name="p", consumer_lease=0.12):
            await asyncio.wait_for(stuck.wait(), 10)
        reached = store.documents("checkpoints")["lamp_details_v1_r2:1:0"]["_position"]
        store.operations.clear()
        again = ScriptedLog(log.events)
        async with up_to_date(again, store) as engine:
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.number == 2)
        assert reached >= log.events[0].position
        assert None not in again.subscribed_after
        assert_folded(store, again, VIEWS)

    async def test_cancelled_it_leaves_nothing_behind(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            log.silent = True
            await rebuild(engine, LAMP_DETAILS)
            await engine.registry.change("lamp_details", lambda record: transitions.cancelled(record, now(), 1000))
            await until(engine, store, LAMP_DETAILS, lambda one: one.retired == [] and one.candidate is None)
        assert "lamp_details_v1_r2" not in store.collections
        for collection in ("checkpoints", "parked_events", "leases"):
            assert not [key for key in store.documents(collection) if "_r2" in key]

    async def test_the_previous_build_is_removed_after_its_grace(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store, view_grace=0.0) as engine:
            await rebuild(engine, LAMP_DETAILS)
            await until(
                engine, store, LAMP_DETAILS, lambda one: one.live.number == 2 and not (one.previous or one.retired)
            )
        assert "lamp_details_v1" not in store.collections
        assert not [key for key in store.documents("checkpoints") if key.startswith("lamp_details_v1:")]

    async def test_back_to_the_previous_build_and_forth(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            await rebuild(engine, LAMP_DETAILS)
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.number == 2)
            for number in (1, 2):
                log.append(*some_lamps(5 + number).events[len(log.events) :])
                await engine.registry.change("lamp_details", transitions.with_previous_as_candidate)
                record = await until(engine, store, LAMP_DETAILS, lambda one, n=number: one.live.number == n)
                assert record.previous is not None
            await folded_up_to(store, log.end, VIEWS)
        assert_folded(store, log, VIEWS)

    async def test_what_may_still_be_read_keeps_still_also_when_it_is_wanted_back_at_once(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store, previous_pause=2.0) as engine:
            await rebuild(engine, LAMP_DETAILS)
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.number == 2)
            before = store.documents("lamp_details_v1")
            await engine.registry.change("lamp_details", transitions.with_previous_as_candidate)
            for lamps in range(6, 9):
                engine.changed.set()
                log.append(*some_lamps(lamps).events[len(log.events) :])
                await folded_up_to(store, log.end, VIEWS)
            # Some query API may not know of the switch yet: it must not show more than what is served now.
            assert store.documents("lamp_details_v1") == before
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.number == 1)
        assert_folded(store, log, VIEWS)

    async def test_operators_see_it_coming(self):
        log, store = some_lamps(50), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            log.silent = True
            await rebuild(engine, LAMP_DETAILS)
            async with asyncio.timeout(60):
                while not (view := (await engine.status()).views[0]).rebuild:
                    await asyncio.sleep(0.001)
            assert (view.rebuild.kind, view.rebuild.state, view.rebuild.fraction) == ("rebuild", "catching_up", 0.0)
            assert (view.rebuild.collection, view.collection) == ("lamp_details_v1_r2", "lamp_details_v1")


class TestVersions:
    async def test_a_new_version_is_built_beside_the_old_one_and_takes_its_place(self):
        log, store = some_lamps(), MemoryReadStore()
        await project_all(log, store, VIEWS, consumer_name="p")
        views = (second_version(LAMP_DETAILS), LAMP_ROOMS)
        again = ScriptedLog(log.events)
        async with engine_over(again, store, views, consumer_name="p", consumer_lease=0.12) as engine:
            record = await until(engine, store, LAMP_DETAILS, lambda one: one.live.version == 2)
            assert (record.live.collection, record.latest_version) == ("lamp_details_v2", 2)
            await folded_up_to(store, log.end, views)
        assert_folded(store, log, views)

    async def test_both_versions_are_kept_up_while_both_are_known(self):
        log, store = some_lamps(), MemoryReadStore()
        await project_all(log, store, VIEWS, consumer_name="p")
        log = ScriptedLog(log.events)
        async with up_to_date(log, store, (*VIEWS, second_version(LAMP_DETAILS))) as engine:
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.version == 2)
            log.append(*some_lamps(8).events[10:])
            async with asyncio.timeout(60):
                while (
                    store.documents("lamp_details_v1") != store.documents("lamp_details_v2")
                    or len(store.documents("lamp_details_v1")) < 8
                ):
                    await asyncio.sleep(0.001)

    async def test_back_to_the_old_version_with_the_old_code(self):
        log, store = some_lamps(), MemoryReadStore()
        await project_all(log, store, VIEWS, consumer_name="p")
        newer = (second_version(LAMP_DETAILS), LAMP_ROOMS)
        async with engine_over(ScriptedLog(log.events), store, newer, consumer_name="p") as engine:
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.version == 2)
        log = ScriptedLog(some_lamps(8).events)
        async with engine_over(log, store, VIEWS, consumer_name="p", consumer_lease=0.12) as engine:
            async with asyncio.timeout(60):
                while not engine.records:
                    await asyncio.sleep(0.001)
            assert (await engine.status()).views[0].state == "unowned", "nobody knows version 2"
            await engine.registry.change("lamp_details", transitions.with_previous_as_candidate)
            await until(engine, store, LAMP_DETAILS, lambda one: one.live.version == 1)
            await folded_up_to(store, log.end, VIEWS)
        assert_folded(store, log, VIEWS)


class TestPartitions:
    async def test_any_number_can_be_changed_without_a_rebuild(self):
        log, store = some_lamps(), MemoryReadStore()
        async with up_to_date(log, store) as engine:
            for partitions in (4, 7, 1, 64, 2):
                record = record_of(store, LAMP_DETAILS)
                reached = await reached_by_builds(engine.store, record)
                assert reached == {"lamp_details_v1": log.end}
                await engine.registry.change(
                    "lamp_details", lambda one, n=partitions, at=reached: transitions.repartitioned(one, n, at)
                )
                log.append(*some_lamps(len(log.events) // 2 + 3).events[len(log.events) :])
                await folded_up_to(store, log.end, VIEWS)
            assert_folded(store, log, VIEWS)
            async with asyncio.timeout(60):
                while [one for one in store.documents("checkpoints").values() if one["partition_epoch"] not in (1, 6)]:
                    await asyncio.sleep(0.001)


class TestHold:
    """Whether the live build keeps still, so that the candidate may take its place."""

    record = transitions.paused(
        transitions.with_candidate(
            transitions.repartitioned(
                transitions.first_record("lamps", 1, 1, 0), partitions=1, reached={"lamps_v1": 500}
            ),
            version=1,
            now=0,
        )
    )
    leases: ClassVar = {"lamps_v1:2:0": LeaseState("owner", 1)}

    def all_wait(self, takeovers_seen: bool = False, **members: tuple[list[PauseAck], list[str]]) -> bool:
        """`members` by name: what they say they wait with, and which partitions they fold."""
        alive = {
            name: Member(name, name, "projector", 0, 0, [], acks, [PartitionReport(key, "live") for key in keys])
            for name, (acks, keys) in members.items()
        }
        return all_wait(self.record, self.record.live, self.leases, alive, takeovers_seen=takeovers_seen)

    def test_once_its_owner_says_so(self):
        ack = PauseAck("lamps_v1", self.record.paused)
        assert not self.all_wait(owner=([], []))
        assert not self.all_wait(owner=([PauseAck("lamps_v1", self.record.paused - 1)], []))
        assert self.all_wait(owner=([ack], ["lamps_v1_r2:2:0"]), other=([], ["rooms_v1:1:0"]))

    def test_when_its_owner_has_died_and_nobody_can_have_followed_it_unknowing(self):
        assert not self.all_wait(other=([], []))
        assert self.all_wait(takeovers_seen=True, other=([], []))

    def test_not_while_somebody_folds_it_who_does_not_know_the_present_layout(self):
        ack = PauseAck("lamps_v1", self.record.paused)
        assert not self.all_wait(owner=([ack], []), late=([], ["lamps_v1:1:0"]))


class Readers:
    """Read as query APIs do, each from the build that it last found to be live; notice what went missing or back.

    What one has seen counts for all: a client may be answered by any of them.
    """

    def __init__(self, store: MemoryReadStore, view: View, number: int) -> None:
        self._store = store
        self._view = view
        self._seen: dict[str, int] = {}
        self._number = number
        self.reads = 0

    async def run(self) -> None:
        found: list[tuple[float, str]] = [(0.0, "")] * self._number
        loop = asyncio.get_running_loop()
        while True:
            for number, (since, collection) in enumerate(found):
                if loop.time() - since > RECORD_AGE:
                    record = self._store.documents("view_records").get(self._view.name)
                    collection = "" if record is None else record["live"]["collection"]
                    found[number] = (loop.time(), collection)
                if collection:
                    self._read(collection)
            await asyncio.sleep(0)

    def _read(self, collection: str) -> None:
        documents = self._store.documents(collection)
        for key, position in self._seen.items():
            assert key in documents, f"{key} is missing"
            assert documents[key]["_position"] >= position, f"{key} went back"
        self._seen = {key: document["_position"] for key, document in documents.items()}
        self.reads += 1


async def rebuilds_under_load(seed: int) -> None:
    """Several processes, rebuilds, switches back, cancels and new divisions, while events come and readers read."""
    choose = random.Random(seed)
    events = random_log(choose, 60)
    store = MemoryReadStore(switches=choose)
    logs = [ScriptedLog(events[:5]) for _ in range(choose.choice([1, 2, 3]))]
    async with contextlib.AsyncExitStack() as stack:
        engines = []
        for number, log in enumerate(logs):
            given = {"consumer_name": f"p{number}", "consumer_lease": 0.12, "consumer_partitions": 2}
            engines.append(await stack.enter_async_context(engine_over(log, store, VIEWS, **given)))
        readers = [Readers(store, view, 2) for view in VIEWS]
        reading = [asyncio.create_task(reader.run()) for reader in readers]
        await folded_up_to(store, logs[0].end, VIEWS)
        for event in events[5:]:
            for log in logs:
                log.append(event)
            if choose.random() < 0.3:
                with contextlib.suppress(NotPossible):
                    await something(engines[0], choose.choice(VIEWS), choose)
            for _ in range(choose.randrange(300)):
                await asyncio.sleep(0)
        await folded_up_to(store, events[-1].position, VIEWS)
        assert_folded(store, logs[0], VIEWS)
        for task in reading:
            assert not task.done() or task.result() is None
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert all(reader.reads > 50 for reader in readers)


async def something(engine: RunningProjector, view: View, choose: random.Random) -> None:
    """One of the things that operators do."""
    record = (await engine.registry.load([view.name]))[view.name]
    reached = await reached_by_builds(engine.store, record)
    partitions = choose.randrange(1, 5)

    def divided(one: ViewRecord) -> ViewRecord:
        if set(reached) != {build.collection for build in one.builds}:
            raise NotPossible("switched meanwhile")
        return transitions.repartitioned(one, partitions, reached)

    await engine.registry.change(
        view.name,
        choose.choice(
            [
                lambda one: transitions.with_candidate(one, 1, now()),
                lambda one: transitions.with_candidate(one, 1, now()),
                transitions.with_previous_as_candidate,
                lambda one: transitions.cancelled(one, now(), 1000),
                transitions.without_previous,
                divided,
            ]
        ),
    )


@given(st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_rebuilds_under_load(seed):
    asyncio.run(rebuilds_under_load(seed))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_rebuilds_under_load_many_times(seed):
    asyncio.run(rebuilds_under_load(seed))

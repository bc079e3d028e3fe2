"""Dead letters retried and discarded: afterwards every document equals a fresh fold of the log."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.view_registry import transitions
from read_models.model.view import View
from subscriptions.operating.dead_letters import DeadLetterOperations
from subscriptions.operating.replays import NoSuchDeadLetter, ReplayTimeout
from tests.projector.lamp_rooms import LAMP_ROOMS
from tests.projector.running import RunningProjector, assert_folded, engine_over, folded_up_to, project_all
from tests.projector.touchy_view import TOUCHY
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS
from tests.support.tiny.logs import (
    TinyLog,
    delivered,
    fold_of,
    installed,
    random_log,
    sent,
    switched_off,
    switched_on,
)


def refusing(view: View, *ids: str, keys: bool = False) -> View:
    """The view as it was before a fault was mended: it fails for these lamps or parcels, in its fold or even in
    its keys."""

    def fold(document: Any, recorded: Any) -> Any:
        if not keys and id_of(recorded.event) in ids:
            raise ZeroDivisionError(id_of(recorded.event))
        return view.fold(document, recorded)

    def keys_of(event: Any) -> tuple[str, ...]:
        if keys and id_of(event) in ids:
            raise LookupError(id_of(event))
        return view.keys(event)

    return msgspec.structs.replace(view, fold=fold, keys=keys_of)


def id_of(event: Any) -> str:
    """The lamp or the parcel that an event is of."""
    return event.parcel_id if hasattr(event, "parcel_id") else event.lamp_id


@contextlib.asynccontextmanager
async def operating(log: ScriptedLog, store: MemoryReadStore, view: View, **others: Any) -> AsyncIterator[Any]:
    """An engine over one view that is up to date, and the operations on its dead letters."""
    async with engine_over(log, store, [view], consumer_name="p", **others) as engine:
        await folded_up_to(store, log.end, [view])
        yield operations_of(engine)


def operations_of(engine: RunningProjector) -> DeadLetterOperations:
    return engine.dead_letters()


def parked(store: MemoryReadStore) -> list[tuple[int, str, int]]:
    """Position, key and whether it is first of every dead letter."""
    found = store.documents("parked_events").values()
    return sorted((one["position"], one["key"], one["first"]) for one in found)


def lamps(*ids: str) -> TinyLog:
    """Lamps of one room, all installed before they are switched on."""
    return TinyLog(*map(installed, ids), *map(switched_on, ids))


class TestDocuments:
    async def test_after_a_fix_a_retry_replays_them_in_order(self):
        log, store = ScriptedLog(lamps("l1", "l2").events), MemoryReadStore()
        await project_all(log, store, [refusing(LAMP_DETAILS, "l1")], consumer_name="p")
        assert len(parked(store)) == 2
        async with operating(log, store, LAMP_DETAILS) as operations:
            outcome = await operations.retry("lamp_details", "l1")
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
            log.append(log_event(log, switched_off("l1")))
            await folded_up_to(store, log.end, [LAMP_DETAILS])
        assert store.documents("lamp_details_v1")["l1"]["status"] == "off"
        assert_folded(store, log, [LAMP_DETAILS])

    async def test_without_a_fix_they_stay_parked_and_nothing_changes(self):
        log, store = ScriptedLog(lamps("l1", "l2").events), MemoryReadStore()
        view = refusing(LAMP_ROOMS, "l2")
        await project_all(log, store, [view], consumer_name="p")
        before = store.documents("lamp_rooms_v1")
        async with operating(log, store, view) as operations:
            outcome = await operations.retry("lamp_rooms", None)
        assert (outcome.replayed, outcome.remaining) == (0, 1)
        assert outcome.errors == [f"key r1 at {log.events[1].position}: ZeroDivisionError: l2"]
        assert store.documents("lamp_rooms_v1") == before
        assert_folded(store, log, [view])

    async def test_one_that_fails_further_on_leads_the_key_from_there(self):
        log, store = lamps("l1", "l2", "l3"), MemoryReadStore()
        scripted = ScriptedLog(log.events)
        await project_all(scripted, store, [refusing(LAMP_ROOMS, "l1", "l2")], consumer_name="p")
        half = refusing(LAMP_ROOMS, "l2")
        async with operating(scripted, store, half) as operations:
            outcome = await operations.retry("lamp_rooms", "r1")
        assert (outcome.replayed, outcome.remaining) == (1, 2)
        assert parked(store) == [(log.events[1].position, "r1", 1), (log.events[2].position, "r1", 0)]
        assert store.documents("parked_events")[f"lamp_rooms_v1:{log.events[1].position:020}:r1"]["error"] == (
            "ZeroDivisionError: l2"
        )
        assert_folded(store, scripted, [half])

    async def test_an_event_is_counted_once_however_many_builds_have_it_parked(self):
        log, store = ScriptedLog(lamps("l1", "l2").events), MemoryReadStore()
        view = refusing(LAMP_DETAILS, "l1")
        async with operating(log, store, view, view_grace=3600.0) as operations, asyncio.timeout(60):
            for number in (2, 3):
                await operations._catalogue._registry.change(
                    "lamp_details", lambda one: transitions.with_candidate(one, 1, 0)
                )
                operations._replays._asked.set()
                while store.documents("view_records")["lamp_details"]["live"]["number"] != number:
                    await asyncio.sleep(0.001)
            assert len({one["target"] for one in store.documents("parked_events").values()}) > 1
            outcome = await operations.retry("lamp_details", None)
            assert (outcome.replayed, outcome.remaining, len(outcome.errors)) == (0, 2, 1)

    @pytest.mark.parametrize("keys", [False, True], ids=["a document", "a stream"])
    async def test_whoever_takes_over_in_the_middle_of_it_goes_on_with_them_too(self, keys):
        log, store = ScriptedLog(lamps("l1", "l2").events), MemoryReadStore()
        await project_all(log, store, [refusing(LAMP_DETAILS, "l1", keys=keys)], consumer_name="p")
        later = log_event(log, switched_off("l1"))
        heirs_log = ScriptedLog(log.events)
        async with contextlib.AsyncExitStack() as stack:
            operations = await stack.enter_async_context(operating(log, store, LAMP_DETAILS))

            async def succeeded(operation: str, collection: str) -> None:
                """A process of the same name comes, and has read what is parked, just before that is removed; it does
                not look around again for a second."""
                if (operation, collection) == ("delete", "parked_events") and not heirs:
                    heir = engine_over(heirs_log, store, [LAMP_DETAILS], consumer_name="p", consumer_lease=6.0)
                    heirs.append(await stack.enter_async_context(heir))
                    async with asyncio.timeout(60):
                        while not heirs_log.subscribed_after:
                            await asyncio.sleep(0)

            heirs: list[RunningProjector] = []
            store.before = succeeded
            outcome = await operations.retry("lamp_details", None)
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (2, 0, [])
            heirs_log.append(later)
            await folded_up_to(store, heirs_log.end, [LAMP_DETAILS])
            assert parked(store) == []
            assert_folded(store, heirs_log, [LAMP_DETAILS])

    async def test_nothing_to_retry(self):
        log, store = ScriptedLog(lamps("l1").events), MemoryReadStore()
        async with operating(log, store, LAMP_DETAILS) as operations:
            with pytest.raises(NoSuchDeadLetter, match="under l1"):
                await operations.retry("lamp_details", "l1")
            with pytest.raises(NoSuchDeadLetter, match="at 5"):
                await operations.discard("lamp_details", 5, "why not")

    async def test_when_nobody_folds_the_view_the_request_stands_and_is_done_later(self):
        log, store = ScriptedLog(lamps("l1").events), MemoryReadStore()
        engine = await project_all(log, store, [refusing(LAMP_DETAILS, "l1")], consumer_name="p")
        nobody = engine.dead_letters(timeout=0.01, asked=asyncio.Event())
        with pytest.raises(ReplayTimeout):
            await nobody.retry("lamp_details", "l1")
        async with operating(log, store, LAMP_DETAILS), asyncio.timeout(60):
            while parked(store):
                await asyncio.sleep(0.001)
        assert_folded(store, log, [LAMP_DETAILS])


def log_event(log: ScriptedLog, event: Any) -> Any:
    """An event appended behind those of a log."""
    builder = TinyLog()
    builder.go_on_from(log.events)
    builder.happen(event)
    return builder.events[-1]


class TestStreams:
    async def test_documents_that_went_on_without_the_stream_are_folded_afresh(self):
        log = TinyLog(*(installed(lamp, watts=int(lamp[1]) * 100) for lamp in ("l1", "l2", "l3")))
        store, scripted = MemoryReadStore(), ScriptedLog(log.events)
        await project_all(scripted, store, [refusing(LAMP_ROOMS, "l2", keys=True)], consumer_name="p")
        assert store.documents("lamp_rooms_v1")["r1"]["lamps"] == 2
        async with operating(scripted, store, LAMP_ROOMS) as operations:
            outcome = await operations.retry("lamp_rooms", "lamp-l2")
        assert (outcome.replayed, outcome.remaining, outcome.errors) == (1, 0, [])
        room = store.documents("lamp_rooms_v1")["r1"]
        assert (room["lamps"], room["watts"], room["last_lamp_id"]) == (3, 600, "l3")
        assert_folded(store, scripted, [LAMP_ROOMS])

    async def test_an_event_that_nobody_can_decode_can_be_discarded(self):
        log = TinyLog(installed("l1"), switched_on("l1"))
        bad = log.add_raw("lamp-l1", "LampExploded", b"{}")
        log.happen(switched_off("l1"), switched_on("l1"), switched_off("l1"))
        store, scripted = MemoryReadStore(), ScriptedLog(log.events)
        async with operating(scripted, store, LAMP_DETAILS) as operations:
            outcome = await operations.retry("lamp_details", "lamp-l1")
            assert outcome.errors[0].startswith(f"stream lamp-l1 at {bad.position}: ")
            assert "UnknownEventType" in outcome.errors[0]
            assert (outcome.replayed, outcome.remaining) == (0, 4)
            outcome = await operations.discard("lamp_details", bad.position, "a test of explosives")
            assert (outcome.replayed, outcome.remaining, outcome.errors) == (4, 0, [])
        assert store.documents("lamp_details_v1")["l1"]["version"] == 5
        (record,) = store.documents("discarded_events").values()
        assert (record["position"], record["reason"]) == (bad.position, "a test of explosives")
        del store.collections["lamp_details_v1"], store.collections["checkpoints"]
        await project_all(scripted, store, [LAMP_DETAILS], consumer_name="p")
        assert store.documents("lamp_details_v1")["l1"]["version"] == 5, "later folds heed it too"
        assert store.documents("parked_events") == {}

    async def test_a_document_in_the_middle_of_it_may_be_parked_itself(self):
        log = TinyLog(sent("p1"), sent("p2"), sent("p3"), delivered("p2"))
        store, scripted = MemoryReadStore(), ScriptedLog(log.events)
        worst = refusing(refusing(PARCEL_DAYS, "p2", keys=True), "p3")
        await project_all(scripted, store, [worst], consumer_name="p")
        better = refusing(PARCEL_DAYS, "p3")
        async with operating(scripted, store, better) as operations:
            outcome = await operations.retry("parcel_days", "parcel-p2")
        assert outcome.errors == []
        assert_folded(store, scripted, [better])
        async with operating(scripted, store, PARCEL_DAYS) as operations:
            await operations.retry("parcel_days", None)
        assert parked(store) == []
        assert_folded(store, scripted, [PARCEL_DAYS])

    async def test_a_document_that_is_parked_may_fail_at_an_earlier_event_then(self):
        """What comes late stands before it, and the first event that fails is another one then."""
        lamps = {"l0": 5, "l1": 7, "l2": 5, "l3": 5, "l4": 14}
        log = TinyLog(*(installed(lamp, watts=watts) for lamp, watts in lamps.items()))
        store, scripted = MemoryReadStore(), ScriptedLog(log.events)
        await project_all(scripted, store, [refusing(TOUCHY, "l0", keys=True)], consumer_name="p")
        assert of_everybody(store) == [log.events[4].position]
        async with operating(scripted, store, TOUCHY) as operations:
            for key in ("lamp-l0", None):
                await operations.retry("touchy", key)
                assert of_everybody(store) == [event.position for event in log.events[1:]]
        assert_folded(store, scripted, [TOUCHY])


def of_everybody(store: MemoryReadStore) -> list[int]:
    """Where the events stand that are parked for the document of all lamps."""
    return [position for position, key, _ in parked(store) if key == "everybody"]


async def discards_and_retries(seed: int, length: int) -> None:
    """Every event that leads a key is discarded, one after another, until nothing is parked: what is left is a fold of
    the log without them."""
    choose = random.Random(seed)
    events = random_log(choose, length)
    store, log = MemoryReadStore(switches=choose), ScriptedLog(events)
    view = choose.choice([TOUCHY, LAMP_ROOMS, PARCEL_DAYS, LAMP_DETAILS])
    engines = choose.choice([1, 1, 2])
    left_out: set[tuple[int, str]] = set()
    async with contextlib.AsyncExitStack() as stack:
        for number in range(engines):
            given = {"consumer_name": f"p{number}", "consumer_partitions": choose.choice([1, 3])}
            one = await stack.enter_async_context(engine_over(ScriptedLog(events), store, [view], **given))
        await folded_up_to(store, log.end, [view])
        operations = operations_of(one)
        while parked(store):
            if choose.random() < 0.3:
                # What failed because of what came late may be handled then.
                await operations.retry(view.name, None)
                continue
            position = choose.choice([one for one in parked(store) if one[2]])[0]
            left_out |= {(one[0], one[1]) for one in parked(store) if one[0] == position}
            await operations.discard(view.name, position, "in the way")
    documents, _ = fold_of(view, events, left_out)
    collection = store.documents("view_records")[view.name]["live"]["collection"]
    assert store.documents(collection) == documents
    assert parked(store) == []


@given(st.integers(0, 2**32), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_until_nothing_is_parked(seed, length):
    asyncio.run(discards_and_retries(seed, length))

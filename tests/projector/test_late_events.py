"""Parked streams that are replayed into documents that went on meanwhile: exact, and without reading the whole log."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.event_store import StoredEvent
from projector.folding import undo, view_consumer
from projector.folding.undo import COLLECTION as UNDO
from read_models.model.view import View
from subscriptions.operating.replays import NoSuchDeadLetter
from tests.projector.lamp_rooms import LAMP_ROOMS
from tests.projector.running import assert_folded, engine_over, folded_up_to, project_all
from tests.projector.test_replay import log_event, operating, parked, refusing
from tests.projector.touchy_view import TOUCHY
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS
from tests.support.tiny.logs import TinyLog, fold_of, installed, random_log


class CountedLog(ScriptedLog):
    """Handed out in small batches. Counts the events that are read by others than its subscribers, and how often a read
    of the whole log begins."""

    def __init__(self, events: Sequence[StoredEvent], cuts: Iterable[int] = ()) -> None:
        super().__init__(events, cuts or itertools.repeat(3))
        self.read = 0
        self.whole: list[int | None] = []

    async def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]:
        self.whole.append(after)
        async for event in super().read_all(after):
            self.read += 1
            yield event

    async def read_stream(self, stream: str, from_revision: int = 0, limit: int = 10**9) -> list[StoredEvent]:
        found = await super().read_stream(stream, from_revision, limit)
        self.read += len(found)
        return found


LATE = ("late1", "late2", "late3")


def shared_room(others: int) -> list[StoredEvent]:
    """Three lamps of r1 that can't be keyed at first, other lamps of r1 between them, and lamps of other rooms before,
    between and after."""
    room = [installed(lamp, "r1", 7) for lamp in ("a", "late1", "b", "late2", "c", "late3", "d", "e")]
    log = TinyLog()
    for number, lamp in enumerate(room):
        log.happen(*(installed(f"x{number}-{n}", f"r{2 + n % 5}") for n in range(others)), lamp)
    log.happen(*(installed(f"y-{n}", f"r{2 + n % 5}") for n in range(others)))
    return log.events


async def parked_first(events: Sequence[StoredEvent], *late: str) -> tuple[CountedLog, MemoryReadStore]:
    """The log projected by a view that fails for the keys of some lamps, so that their streams are parked."""
    log, store = CountedLog(events), MemoryReadStore()
    await project_all(log, store, [refusing(LAMP_ROOMS, *late, keys=True)], consumer_name="p")
    return log, store


async def retried(log: CountedLog, store: MemoryReadStore, key: str | None = None, view: View = LAMP_ROOMS) -> Any:
    async with operating(log, store, view) as operations:
        log.read, log.whole = 0, []
        return await operations.retry(view.name, key)


async def test_what_is_read_grows_with_the_documents_concerned_and_not_with_the_log():
    read = []
    for others in (2, 40):
        log, store = await parked_first(shared_room(others), *LATE)
        outcome = await retried(log, store)
        assert (outcome.replayed, outcome.remaining, outcome.errors) == (3, 0, [])
        assert log.whole == [], "the log is not read"
        assert_folded(store, log, [LAMP_ROOMS])
        read.append(log.read)
    # The three dead letters, what the room has folded since the first of them, and what tells that it is the log.
    assert read == [3 + 7 + 5, 3 + 7 + 5]


async def test_streams_that_share_a_document_are_replayed_one_after_another_and_back_to_front():
    log, store = await parked_first(shared_room(3), *LATE)
    for lamp in ("late3", "late1", "late2"):
        outcome = await retried(log, store, f"lamp-{lamp}")
        assert (outcome.replayed, outcome.remaining) == (1, 0)
        assert log.whole == []
    assert_folded(store, log, [LAMP_ROOMS])
    assert store.documents("lamp_rooms_v1")["r1"]["lamps"] == 8


async def test_a_stream_that_stays_parked_stays_out_of_the_document():
    log, store = await parked_first(shared_room(3), *LATE)
    better = refusing(LAMP_ROOMS, "late2", keys=True)
    outcome = await retried(log, store, view=better)
    assert (outcome.replayed, outcome.remaining) == (2, 1)
    assert_folded(store, log, [better])
    outcome = await retried(log, store)
    assert (outcome.replayed, outcome.remaining) == (1, 0)
    assert log.whole == [], "what was recorded holds for the second replay too"
    assert_folded(store, log, [LAMP_ROOMS])


async def test_a_document_that_fails_in_the_middle_of_it_is_parked_from_there():
    log, store = await parked_first(shared_room(3), *LATE)
    half = refusing(LAMP_ROOMS, "late2")
    await retried(log, store, view=half)
    assert_folded(store, log, [half])
    async with operating(log, store, LAMP_ROOMS) as operations:
        await operations.retry("lamp_rooms", None)
    assert parked(store) == []
    assert_folded(store, log, [LAMP_ROOMS])


@pytest.mark.parametrize("lost", ["all", "one", "no room for more", "too much for single reads"])
async def test_without_a_record_the_log_is_read_once_for_all_streams(lost, monkeypatch):
    if lost == "no room for more":
        monkeypatch.setattr(undo, "MOST_RECORDS", 2)
    log, store = await parked_first(shared_room(3), *LATE)
    if lost == "all":
        del store.collections[UNDO]
    elif lost == "one":
        keys = [key for key, one in store.documents(UNDO).items() if one["key"] == "r1"]
        del store.collections[UNDO][keys[2]]
    elif lost == "too much for single reads":
        monkeypatch.setattr(view_consumer, "_MOST_SINGLE_EVENTS", 2)
    outcome = await retried(log, store)
    assert (outcome.replayed, outcome.remaining, outcome.errors) == (3, 0, [])
    (after,) = log.whole
    if lost == "too much for single reads":
        (before,) = (event.position for event in log.events if event.stream == "lamp-a")
        assert after == before, "from where the document was before the first late event"
    else:
        assert after is None
    assert_folded(store, log, [LAMP_ROOMS])


async def test_an_event_that_is_gone_from_its_stream_is_left_to_the_log():
    log, store = await parked_first(shared_room(3), *LATE)
    gone = [event for event in log.events if event.stream == "lamp-d"]
    log.events = [event for event in log.events if event not in gone]
    outcome = await retried(log, store)
    assert (outcome.replayed, outcome.errors) == (3, [])
    assert_folded(store, log, [LAMP_ROOMS])


async def test_records_are_written_only_while_a_stream_is_parked_and_go_with_the_last_one(monkeypatch):
    monkeypatch.setattr(undo, "_BETWEEN_CHECKS", 0.0)
    log, store = await parked_first(shared_room(3), *LATE)
    first_late = next(event.position for event in log.events if event.stream == "lamp-late1")
    kept = store.documents(UNDO).values()
    assert kept
    assert all(one["position"] > first_late for one in kept if one["previous"] >= first_late)
    async with operating(log, store, LAMP_ROOMS) as operations:
        await operations.retry("lamp_rooms", None)
        log.append(log_event(log, installed("z", "r3")))
        await folded_up_to(store, log.end, [LAMP_ROOMS])
        log.append(log_event(log, installed("zz", "r3")))
        await folded_up_to(store, log.end, [LAMP_ROOMS])
        assert store.documents(UNDO) == {}
    healthy = MemoryReadStore()
    await project_all(CountedLog(shared_room(3)), healthy, [LAMP_ROOMS, LAMP_DETAILS], consumer_name="p")
    assert healthy.documents(UNDO) == {}


async def test_who_is_behind_takes_what_it_has_not_come_to_in_its_own_time():
    """A process may be asked to replay what another one parked, further on in the log than it is itself."""
    events = TinyLog(installed("a"), installed("b"), installed("late1"), installed("c")).events
    log, store = await parked_first(events, "late1")
    record = store.documents("view_records")["lamp_rooms"]
    (checkpoint,) = (one for one in store.documents("checkpoints").values() if one["target"] == "lamp_rooms_v1")
    store.put("checkpoints", {**checkpoint, "_position": events[0].position, "anchors": []})
    store.put("lamp_rooms_v1", {"_id": "r1", "_position": events[0].position, **only_a()})
    behind = CountedLog(events)
    behind.silent = True
    async with engine_over(behind, store, [LAMP_ROOMS], consumer_name="p") as engine:
        async with asyncio.timeout(60):
            while not engine.followers or engine.followers[0].handled < events[0].position:
                await asyncio.sleep(0)
        outcome = await engine.dead_letters().retry("lamp_rooms", None)
        assert (outcome.replayed, outcome.remaining) == (1, 0)
        behind.silent = False
        behind.append()
        await folded_up_to(store, behind.end, [LAMP_ROOMS])
    assert record["live"]["collection"] == "lamp_rooms_v1"
    assert_folded(store, log, [LAMP_ROOMS])


def only_a() -> dict[str, Any]:
    documents, _ = fold_of(LAMP_ROOMS, TinyLog(installed("a")).events)
    return {name: value for name, value in documents["r1"].items() if not name.startswith("_")}


class Interrupted(Exception):
    """Raised in the middle of a replay."""


async def interrupted_and_retried(seed: int, length: int, operations_until: int) -> None:
    """A replay ends before any one of its operations on the store; another process repeats it."""
    choose = random.Random(seed)
    events = random_log(choose, length, poison=False)
    view = choose.choice([TOUCHY, LAMP_ROOMS, PARCEL_DAYS])
    ids = sorted({event.stream.partition("-")[2] for event in events})
    late = choose.sample(ids, min(len(ids), 4))
    log = CountedLog(events, [choose.randrange(1, 5) for _ in events])
    store = MemoryReadStore()
    await project_all(log, store, [refusing(view, *late, keys=True)], consumer_name="p")
    left = operations_until

    async def interrupt(operation: str, collection: str) -> None:
        nonlocal left
        of_undo = collection == UNDO and operation not in ("prepare", "count")
        if of_undo or operation in ("replace_exactly", "delete"):
            left -= 1
            if left == 0:
                raise Interrupted

    async with operating(log, store, view) as operations:
        store.before = interrupt
        streams = sorted({key for _, key, _ in parked(store)})
        for key in (choose.choice(streams) if streams else None, None):
            with contextlib.suppress(Interrupted, NoSuchDeadLetter):
                await operations.retry(view.name, key)
        left = 0
    store.before = MemoryReadStore().before
    async with operating(log, store, view) as operations:
        if parked(store):
            await operations.retry(view.name, None)
    assert_folded(store, log, [view])


@given(st.integers(0, 2**32), st.integers(4, 40), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_interrupted_before_any_operation_it_comes_right_when_it_is_repeated(seed, length, operations_until):
    asyncio.run(interrupted_and_retried(seed, length, operations_until))


def test_a_change_is_read_back_as_it_was_written():
    ref = undo.EventRef("lamp-a", 3, 70)
    change = undo.Change({"room": 'r"1\0'}, [ref])
    assert msgspec.json.decode(msgspec.json.encode(change), type=undo.Change) == change

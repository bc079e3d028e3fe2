"""Verifying finds every fault that is planted, and none where there is none, while the projector goes on."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.ordering.events import OrderCreated
from infrastructure.event_store import EventStoreUnavailable, StoredEvent
from infrastructure.read_store import ReadStoreUnavailable
from infrastructure.view_registry import VIEW_RECORDS
from ops.views.verification import retrying_log
from ops.views.verification.differences import DOCUMENT, EVENT, Difference, different_fields
from ops.views.verification.left_out import PARKED_EVENTS
from ops.views.verification.live_build import NotVerifiable
from ops.views.verification.unfinished import FoldedDocument, UnfinishedDocuments
from ops.views.verification.verifier import Verified, Verifier
from read_models.model.view import View
from read_models.ordering.customer_summary import CUSTOMER_SUMMARY
from tests.ops.plain_projection import MemoryReadStore, PlainProjector, Projected
from tests.ops.touchy_view import TOUCHY
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.bundled import CODEC, VIEWS
from tests.support.order_logs import OrderLog, confirmed, created, logs, logs_of, random_log

AT_ONCE = (0.0, 0.0, 0.0)

unhurried = settings(deadline=None)

views = st.sampled_from([*VIEWS, TOUCHY])
# What is damaged has to be there: views that follow orders, after logs in which there is nearly always something.
filled_views = st.sampled_from([*(view for view in VIEWS if OrderCreated in view.events), TOUCHY])
long_logs = logs_of(30, 60)
randoms = st.randoms(use_true_random=False)


async def verify(
    view: View, log: Any, store: MemoryReadStore, *, most: int = 1000, unfinished: int = 3, slices: int | None = None
) -> Verified:
    bounds = {"max_documents": most, "max_unfinished": unfinished, "max_different": 5}
    verifier = Verifier([view], CODEC, log, store, **bounds, slices=slices, confirmations=AT_ONCE)
    verification = await verifier.run()
    if verification.failures:
        raise NotVerifiable(verification.failures[view.name])
    (verified,) = verification.verified
    return verified


def projected(view: View, events: Sequence[StoredEvent], number: int | None = None) -> PlainProjector:
    """A store with the view after so many of the events."""
    projector = PlainProjector(view, events, MemoryReadStore())
    projector.project(len(events) if number is None else number)
    return projector


def alive(projector: PlainProjector) -> int:
    return sum("_deleted" not in document for document in projector.now.documents.values())


@unhurried
@given(views, logs, st.integers(0, 60), st.integers(0, 10), st.none() | st.integers(1, 7), st.integers(1, 30))
async def test_what_is_projected_is_equal_however_it_is_sliced(view, events, number, ahead, slices, most):
    """Documents may be newer than the checkpoints, and the log newer than the documents."""
    projector = projected(view, events, min(number, len(events)))
    projector.run_ahead(ahead)
    found = await verify(view, ScriptedLog(events), projector.store, most=most, slices=slices)
    assert found.differences == []
    assert found.equal == alive(projector)
    assert slices is None or found.slices == slices


@unhurried
@given(views, long_logs, st.data())
async def test_what_is_discarded_is_left_out(view, events, data):
    projector = projected(view, events)
    assume(projector.now.parked)
    for _ in range(data.draw(st.integers(1, 3))):
        parked = sorted({one["position"] for one in projector.now.parked.values()})
        if not parked:
            break
        for _ in projector.discard(data.draw(st.sampled_from(parked))):
            pass
    assert (await verify(view, ScriptedLog(events), projector.store)).differences == []


@unhurried
@given(views, st.integers(0), randoms, st.integers(0, 40), st.booleans())
async def test_nothing_is_found_while_the_projector_goes_on(view, seed, choose, number, discards):
    """Between any two looks at the stores the projector makes any number of writes."""
    events = random_log(random.Random(seed), 60)
    projector = projected(view, events, number)
    if discards and projector.now.parked:
        # What moves a second time while it is looked at again could seem different each time; once it can't.
        steps = projector.discard(min(one["position"] for one in projector.now.parked.values()))
    else:
        steps = projector.steps(choose.randrange(1, 4))

    async def go_on(_operation: str, _collection: str) -> None:
        for _ in range(choose.choice([0, 0, 0, 1, 3])):
            next(steps, None)

    projector.store.before = projector.store.after = go_on
    found = await verify(view, ScriptedLog(events), projector.store, slices=choose.randrange(1, 4))
    assert found.differences == []


def documents_of(projector: PlainProjector) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in projector.now.documents.items() if "_deleted" not in one}


def keys_of(found: Verified) -> set[str]:
    return {one.key for one in found.differences}


@unhurried
@given(filled_views, long_logs, st.data(), st.none() | st.integers(1, 4))
async def test_a_changed_field_is_found(view, events, data, slices):
    projector = projected(view, events)
    documents = documents_of(projector)
    assume(documents)
    document = documents[data.draw(st.sampled_from(sorted(documents)))]
    field = data.draw(st.sampled_from([name for name in document if not name.startswith("_")]))
    value = {int: 123_456_789, str: "something else", dict: {"USD": -1}, list: []}[type(document[field])]
    projector.store.put(view.collection, {**document, field: value})
    found = await verify(view, ScriptedLog(events), projector.store, slices=slices)
    assert found.equal == len(documents) - 1
    assert all(one.key == document["_id"] and one.field.split(".")[0] == field for one in found.differences)
    assert found.differences


@unhurried
@given(filled_views, long_logs, st.data(), st.none() | st.integers(1, 4))
async def test_a_missing_document_is_found(view, events, data, slices):
    projector = projected(view, events)
    documents = documents_of(projector)
    assume(documents)
    key = data.draw(st.sampled_from(sorted(documents)))
    if data.draw(st.booleans()):
        del projector.store.collections[view.collection][key]
    else:
        projector.store.put(view.collection, {"_id": key, "_position": documents[key]["_position"], "_deleted": 1})
    found = await verify(view, ScriptedLog(events), projector.store, slices=slices)
    fields = {name: value for name, value in documents[key].items() if not name.startswith("_")}
    assert found.differences == [Difference(key, DOCUMENT, fields, None)]


@unhurried
@given(filled_views, long_logs, st.data(), st.none() | st.integers(1, 4))
async def test_a_document_that_should_not_be_there_is_found(view, events, data, slices):
    projector = projected(view, events)
    documents = documents_of(projector)
    assume(documents)
    document = {**data.draw(st.sampled_from(list(documents.values()))), "_id": "nobody's"}
    projector.store.put(view.collection, document)
    found = await verify(view, ScriptedLog(events), projector.store, slices=slices)
    assert keys_of(found) == {"nobody's"}
    assert found.differences[0].expected is None


@unhurried
@given(filled_views, long_logs, st.data())
async def test_an_older_document_is_found(view, events, data):
    projector = projected(view, events)
    documents = documents_of(projector)
    cut = data.draw(st.integers(len(events) // 2, len(events) - 1))
    before = Projected(view, events[:cut]).documents
    older = sorted(
        key
        for key, one in documents.items()
        if key in before and "_deleted" not in before[key] and before[key]["_position"] < one["_position"]
    )
    assume(older)
    key = data.draw(st.sampled_from(older))
    projector.store.put(view.collection, before[key])
    found = await verify(view, ScriptedLog(events), projector.store)
    assert found.differences == [Difference(key, "_position", documents[key]["_position"], before[key]["_position"])]


@unhurried
@given(filled_views, long_logs, st.data(), st.integers(1, 10**6))
async def test_a_document_that_claims_to_be_newer_is_found(view, events, data, further):
    projector = projected(view, events)
    documents = documents_of(projector)
    assume(documents)
    document = documents[data.draw(st.sampled_from(sorted(documents)))]
    projector.store.put(view.collection, {**document, "_position": document["_position"] + further})
    found = await verify(view, ScriptedLog(events), projector.store)
    assert keys_of(found) == {document["_id"]}
    (position,) = (one for one in found.differences if one.field == "_position")
    assert position.found == document["_position"] + further


@unhurried
@given(st.sampled_from(VIEWS), long_logs, st.data())
async def test_a_dead_letter_that_is_lost_is_found(view, events, data):
    """Of a view that deletes nothing: what was left out of nothing, and would come to nothing, makes no difference."""
    projector = projected(view, events)
    parked = projector.now.parked
    assume(parked)
    lost = data.draw(st.sampled_from(sorted(parked)))
    del projector.store.collections[PARKED_EVENTS][lost]
    found = await verify(view, ScriptedLog(events), projector.store)
    assert found.differences
    if parked[lost]["kind"] == "key":
        assert keys_of(found) <= {parked[lost]["key"]}


async def test_what_is_said_of_an_event_that_should_be_a_dead_letter():
    log = OrderLog()
    log.add("order-a", confirmed("a"))
    log.add_raw("order-b", "OrderTeleported", b"{}")
    (details,) = (view for view in VIEWS if view.name == "order_details")
    projector = projected(details, log.events)
    projector.store.collections[PARKED_EVENTS].clear()
    found = {one.key: one for one in (await verify(details, ScriptedLog(log.events), projector.store)).differences}
    assert {one.field for one in found.values()} == {EVENT}
    assert found["a"].expected.startswith("a dead letter for the event at 70: MissingBeginning: order-a has lost")
    assert found["order-b"].expected.startswith("a dead letter for the event at 141: UnknownEventType")


class BrokenLog(ScriptedLog):
    """Its reads break off after `good` events each."""

    def __init__(self, events: Sequence[StoredEvent], good: int) -> None:
        super().__init__(events)
        self.good = good
        self.read_after: list[int | None] = []

    async def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]:
        self.read_after.append(after)
        left = self.good
        async for event in super().read_all(after):
            if not left:
                raise EventStoreUnavailable("lost")
            left -= 1
            yield event


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying_log, "backoff", lambda: iter(lambda: 0.0, None))


async def test_a_lost_connection_is_read_on_where_it_was(no_pauses: None):
    events = random_log(random.Random(7), 40)
    projector = projected(CUSTOMER_SUMMARY, events)
    log = BrokenLog(events, good=6)
    found = await verify(CUSTOMER_SUMMARY, log, projector.store)
    assert found.differences == []
    assert found.equal == alive(projector)
    assert log.read_after == [None, *(events[n].position for n in range(5, 36, 6))]


async def test_a_log_that_stays_away_is_told(no_pauses: None):
    events = random_log(random.Random(7), 40)
    projector = projected(CUSTOMER_SUMMARY, events)
    with pytest.raises(EventStoreUnavailable):
        await verify(CUSTOMER_SUMMARY, BrokenLog(events, good=0), projector.store)


async def test_memory_is_bounded_also_where_the_store_has_lost_nearly_all(monkeypatch):
    log = OrderLog()
    for n in range(64):
        log.add(f"order-{n}", created(f"{n}", f"c{n}"))
    projector = projected(CUSTOMER_SUMMARY, log.events)
    projector.store.collections[CUSTOMER_SUMMARY.collection].clear()
    in_memory = []
    put = UnfinishedDocuments.put

    def noting(self: UnfinishedDocuments, key: str, folded: FoldedDocument) -> None:
        put(self, key, folded)
        in_memory.append(len(self._memory))

    monkeypatch.setattr(UnfinishedDocuments, "put", noting)
    found = await verify(CUSTOMER_SUMMARY, ScriptedLog(log.events), projector.store, unfinished=8)
    assert keys_of(found) == {f"c{n}" for n in range(64)}
    assert len(found.differences) == 64, "none twice"
    assert found.slices == 1
    assert max(in_memory) <= 8


async def test_more_documents_than_fingerprints_fit_in_memory_are_taken_in_slices():
    log = OrderLog()
    for n in range(64):
        log.add(f"order-{n}", created(f"{n}", f"c{n}"))
    projector = projected(CUSTOMER_SUMMARY, log.events)
    counted = ScriptedLog(log.events)
    found = await verify(CUSTOMER_SUMMARY, counted, projector.store, most=8)
    assert (found.equal, found.differences) == (64, [])
    assert found.slices >= 8


class CountedLog(ScriptedLog):
    """Counts how often it is read, and the events."""

    def __init__(self, events: Sequence[StoredEvent]) -> None:
        super().__init__(events)
        self.reads = self.read = 0

    async def read_all(self, after: int | None) -> AsyncIterator[StoredEvent]:
        self.reads += 1
        async for event in super().read_all(after):
            self.read += 1
            yield event


EVERY = len(VIEWS) + 1


@unhurried
@given(logs, st.lists(st.integers(0, 60), min_size=EVERY, max_size=EVERY), st.integers(1, 7), st.booleans())
async def test_all_views_are_verified_with_one_read_of_the_log(events, numbers, unfinished, faulty):
    """Each view is at a position of its own. One that differs is looked at again, and the others are not."""
    store, every = MemoryReadStore(), [*VIEWS, TOUCHY]
    for view, number in zip(every, numbers, strict=True):
        PlainProjector(view, events, store).project(min(number, len(events)))
    log = CountedLog(events)
    kept = [key for key, one in store.documents("order_list_v1").items() if "_deleted" not in one]
    if faulty and kept:
        store.put("order_list_v1", {**store.documents("order_list_v1")[kept[0]], "status": "lost"})
    verification = await Verifier(every, CODEC, log, store, max_unfinished=unfinished, confirmations=AT_ONCE).run()
    found = {one.view: one for one in verification.verified}
    assert list(found) == [view.name for view in every]
    assert verification.failures == {}
    for view in every:
        there = sum("_deleted" not in one for one in store.documents(view.collection).values())
        wrong = 1 if faulty and kept and view.name == "order_list" else 0
        assert (found[view.name].equal, len(keys_of(found[view.name])), found[view.name].slices) == (
            there - wrong,
            wrong,
            1,
        )
    assert log.reads == 1 + (len(AT_ONCE) if faulty and kept else 0)


async def test_the_version_that_is_served_is_verified_and_the_others_go_on_without_a_view_that_can_not_be():
    events = random_log(random.Random(5), 40)
    projector = projected(CUSTOMER_SUMMARY, events)
    newer = msgspec.structs.replace(CUSTOMER_SUMMARY, version=2, fold=lambda *_: None)
    views = [newer, *VIEWS, msgspec.structs.replace(CUSTOMER_SUMMARY, version=3)]
    verification = await Verifier(views, CODEC, ScriptedLog(events), projector.store, confirmations=AT_ONCE).run()
    (verified,) = verification.verified
    assert (verified.view, verified.equal, verified.differences) == ("customer_summary", alive(projector), [])
    assert verification.failures == {
        view.name: "it has never been projected into this read store" for view in VIEWS if view is not CUSTOMER_SUMMARY
    }


async def test_a_scan_that_is_cut_short_is_repeated_and_then_told():
    log = OrderLog()
    for n in range(5):
        log.add(f"order-{n}", created(f"{n}", f"c{n}"))
    projector = projected(CUSTOMER_SUMMARY, log.events)

    class Forgetful(MemoryReadStore):
        scans = 0
        short = 2

        async def scan(self, collection: str) -> AsyncIterator[Any]:
            self.scans += 1
            async for key, one in super().scan(collection):
                if self.scans <= self.short and key == "c4":
                    return
                yield key, one

    store = Forgetful()
    store.collections = projector.store.collections
    assert (await verify(CUSTOMER_SUMMARY, ScriptedLog(log.events), store)).equal == 5
    store.scans, store.short = 0, 1_000
    with pytest.raises(NotVerifiable, match="told only 4 of 5 documents"):
        await verify(CUSTOMER_SUMMARY, ScriptedLog(log.events), store)


async def test_a_read_store_that_is_away_for_a_moment_is_asked_again():
    """At any of its operations, once each: nobody has to fold the whole log again for it."""
    events = random_log(random.Random(7), 40)
    projector = projected(CUSTOMER_SUMMARY, events)
    asked, failed = 0, set[str]()

    async def shaky(operation: str, _collection: str) -> None:
        nonlocal asked
        asked += 1
        if operation not in failed and asked > 1:
            failed.add(operation)
            raise ReadStoreUnavailable("operation cancelled")

    projector.store.before = shaky
    found = await verify(CUSTOMER_SUMMARY, ScriptedLog(events), projector.store)
    assert (found.equal, found.differences) == (alive(projector), [])
    assert failed == {"load", "count", "scan", "page"}


async def test_a_view_that_was_never_projected():
    with pytest.raises(NotVerifiable, match="never been projected"):
        await verify(CUSTOMER_SUMMARY, ScriptedLog([]), MemoryReadStore())


async def test_a_build_of_another_version():
    projector = projected(CUSTOMER_SUMMARY, [])
    record = projector.store.documents(VIEW_RECORDS)["customer_summary"]
    live = {**record["live"], "version": 7, "collection": "customer_summary_v7"}
    projector.store.put(VIEW_RECORDS, {**record, "live": live})
    with pytest.raises(NotVerifiable, match="customer_summary_v7 is of version 7, and this is version 1"):
        await verify(CUSTOMER_SUMMARY, ScriptedLog([]), projector.store)


async def test_a_switch_meanwhile_is_told():
    events = random_log(random.Random(3), 20)
    projector = projected(CUSTOMER_SUMMARY, events)
    record = projector.store.documents(VIEW_RECORDS)["customer_summary"]

    async def switch(operation: str, _collection: str) -> None:
        if operation == "scan":
            live = {**record["live"], "collection": "customer_summary_v1_r2"}
            projector.store.put(VIEW_RECORDS, {**record, "live": live})

    projector.store.before = switch
    with pytest.raises(NotVerifiable, match="customer_summary_v1_r2 took the place of customer_summary_v1"):
        await verify(CUSTOMER_SUMMARY, ScriptedLog(events), projector.store)


@pytest.mark.parametrize(
    ("expected", "found", "differences"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, [("a.b.1.c", 2, 3)]),
        ({"a": [1]}, {"a": [1, 2]}, [("a", [1], [1, 2])]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"a": "1", "b": 0}, [("a", 1, "1"), ("b", None, 0)]),
    ],
)
def test_fields_are_compared_to_the_last(expected, found, differences):
    assert list(different_fields(expected, found)) == differences

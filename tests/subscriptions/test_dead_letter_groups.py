"""Dead letters in groups: found, replayed and discarded as such, in portions, by one operator or two."""

import asyncio
from typing import Any

import pytest

from infrastructure.dead_letters.audit import stream_of
from infrastructure.dead_letters.failure import failure_told
from infrastructure.event_store import EventStoreUnavailable
from infrastructure.read_store import ReadStoreUnavailable, Write
from subscriptions.metrics import PARKED_IN_GROUP
from subscriptions.operating.audited import Asked
from subscriptions.operating.dead_letter_groups import GroupOperations, Portion, PortionDone
from subscriptions.operating.group_watch import GroupWatch
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter
from tests.subscriptions.counting import Counter, lamps, nothing, parked
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.subscriptions.running import RunningConsumers, all_done, consume_all, consuming
from tests.subscriptions.scripted_log import ScriptedLog
from tests.support.tiny.lamp import LampSwitchedOn
from tests.support.tiny.logs import TinyLog, installed, switched_on

ADA = Asked("ada", "mended")


class Faulty(Counter):
    """Fails in two ways: for lamps whose id ends with an even digit in one, for the others in another."""

    mended: frozenset[str] = frozenset()

    def _check(self, recorded: Any, key: str) -> None:
        way = "even" if int(key[-1]) % 2 == 0 else "odd"
        if way not in self.mended:
            raise (ZeroDivisionError if way == "even" else LookupError)(f"{way} lamps such as {key} are too much")
        self.handled.append((recorded.position, key))


def many(number: int) -> TinyLog:
    """So many lamps, each installed and switched on."""
    log = TinyLog()
    for one in range(number):
        log.happen(installed(f"l{one}"), switched_on(f"l{one}"))
    return log


async def all_of(operations: GroupOperations, group: str, *, limit: int, action: str = "retry") -> list[PortionDone]:
    """Portion after portion, as the command does it."""
    done: list[PortionDone] = []
    portion = Portion(limit=limit)
    while True:
        one = await getattr(operations, action)("counter", group, portion, ADA)
        done.append(one)
        if one.next is None:
            return done
        portion = Portion(one.next, one.asked_at, limit)


async def groups_of(engine: RunningConsumers) -> dict[str, tuple[str, int, int]]:
    page, _ = await engine.desk().groups.page(None, after=None, limit=100)
    return {one.group.fingerprint: (one.group.message, one.group.count, one.group.failed) for one in page}


def by_message(found: dict[str, tuple[str, int, int]], word: str) -> str:
    return next(group for group, (message, *_) in found.items() if word in message)


async def test_many_dead_letters_are_a_few_groups_that_are_found_without_reading_all() -> None:
    log, store = many(60), MemoryReadStore()
    log.add_raw("lamp-broken1", "LampExploded", b"{}")
    log.add_raw("lamp-broken2", "LampExploded", b"{}")
    scripted = ScriptedLog(log.events)
    async with consuming(scripted, store, Faulty(store)) as engine:
        await all_done(scripted, engine, 1)
        store.operations.clear()
        found = await groups_of(engine)
    assert sorted(found.values()) == [
        ("LookupError: odd lamps such as # are too much", 60, 30),
        ("UnknownEventType: no event type is named 'LampExploded'", 2, 2),
        ("ZeroDivisionError: even lamps such as # are too much", 60, 30),
    ]
    records = parked(store)
    assert len(records) == 122
    assert {one["fingerprint"] for one in records} == set(found)


async def test_pages_of_groups() -> None:
    log, store = many(4), MemoryReadStore()
    log.add_raw("lamp-broken1", "LampExploded", b"{}")
    scripted = ScriptedLog(log.events)
    async with consuming(scripted, store, Faulty(store), Faulty(store, "other")) as engine:
        await all_done(scripted, engine, 2)
        groups = engine.desk().groups
        found, after = [], None
        for _ in range(3):
            page, after = await groups.page(None, after=after, limit=1)
            assert {one.consumer for one in page} == {"counter", "other"}, "the same fault has the same fingerprint"
            found += [one.group.fingerprint for one in page]
        assert after is None
        assert found == sorted(found)
        assert len(set(found)) == 3
        (one,) = await groups.of_fingerprint("other", found[0])
        assert one.consumer == "other"
        with pytest.raises(ValueError, match="no fingerprint"):
            await groups.of_fingerprint("other", "all")


async def test_a_group_is_replayed_portion_by_portion_and_the_other_is_left_alone() -> None:
    log, store = many(20), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        counter.mended = frozenset({"even", "odd"})
        counter.handled.clear()
        done = await all_of(engine.desk().groups, even, limit=4)
        assert [(one.outcome.replayed, one.outcome.remaining) for one in done] == [(8, 0), (8, 0), (4, 0)]
        assert len(counter.handled) == 20, "nothing is applied twice"
        assert set(await groups_of(engine)) == {one["fingerprint"] for one in parked(store)}
        history = await engine.desk().history("counter", 10)
    assert [(one.requested.by, one.requested.group, one.requested.count) for one in history] == [
        ("ada", even, 2),
        ("ada", even, 4),
        ("ada", even, 4),
    ]
    assert {(one.requested.reason, one.ended.fault if one.ended else None) for one in history} == {("mended", "")}
    assert sum(one.ended.replayed for one in history if one.ended) == 20
    assert len(parked(store)) == 20


async def test_what_fails_again_is_tried_once_and_counted() -> None:
    log, store = many(6), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        for times in (1, 2):
            done = await all_of(engine.desk().groups, even, limit=2)
            assert sum(one.outcome.replayed for one in done) == 0
            assert done[0].outcome.failures == [f"{even} ZeroDivisionError: even lamps such as # are too much"]
            assert {one["retries"] for one in parked(store) if one["fingerprint"] == even and one["first"]} == {times}


async def test_what_fails_otherwise_moves_to_the_other_group_with_all_behind_it() -> None:
    log, store = many(1), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Counter(store, refuses=lamps("l0"))
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        (before,) = await groups_of(engine)

        def fails_otherwise(event: object, key: str) -> bool:
            raise OverflowError("too many")

        counter.refuses = fails_otherwise
        await all_of(engine.desk().groups, before, limit=5)
        found = await groups_of(engine)
        assert list(found.values()) == [("OverflowError: too many", 2, 1)]
        with pytest.raises(NoSuchDeadLetter):
            await all_of(engine.desk().groups, before, limit=5)
        # The first is handled now, and the second fails: it leads the key, of its own group.
        counter.refuses = lambda event, _key: isinstance(event, LampSwitchedOn)
        await all_of(engine.desk().groups, next(iter(found)), limit=5)
        assert [(one[1], one[2]) for one in (await groups_of(engine)).values()] == [(1, 1)]
    (record,) = parked(store)
    assert record["retries"] == 1
    log.happen(switched_on("l0"))
    await consume_all(ScriptedLog(log.events), store, counter)
    assert {one["fingerprint"] for one in parked(store)} == {record["fingerprint"]}, "also after a restart"


async def test_what_a_crash_left_in_the_old_group_is_put_right_by_a_retry() -> None:
    log, store = many(2), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        old = failure_told("ValueError: of before the crash", "LampInstalled")
        (key, behind) = next(
            (key, one)
            for key, one in store.documents("parked_events").items()
            if one["key"] == "l0" and not one["first"]
        )
        fields = {name: value for name, value in behind.items() if name not in ("_id", "_position")}
        fields |= {"fingerprint": old.fingerprint, "fault": old.fault, "message": old.message}
        assert await store.replace_exactly("parked_events", Write(key, behind["position"], fields), behind["position"])
        assert (await groups_of(engine))[old.fingerprint] == ("ValueError: of before the crash", 1, 0)
        with_discard = await all_of(engine.desk().groups, old.fingerprint, limit=5, action="discard")
        assert [one.discarded for one in with_discard] == [0], "what has not failed is not left out"
        await all_of(engine.desk().groups, old.fingerprint, limit=5)
        found = await groups_of(engine)
        assert old.fingerprint not in found
        assert found[even][1:] == (2, 1)


@pytest.mark.parametrize("left", [1, 4])
async def test_what_a_crash_left_without_what_led_it_goes_with_a_retry_of_the_others(left: int) -> None:
    """A process ended between the removals of what it had replayed: first those that led their keys, of some."""
    log, store = many(12), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        leading = [
            name
            for name, one in store.documents("parked_events").items()
            if one["fingerprint"] == even and one["first"]
        ]
        for name in leading[:left]:
            await store.delete("parked_events", name)
        counter.mended = frozenset({"even"})
        # Each portion takes two keys, so that those without a leader are more than one of them.
        done = await all_of(engine.desk().groups, even, limit=2)
        assert even not in await groups_of(engine)
    assert sum(one.outcome.replayed for one in done) == 12 - left
    assert sum(one.outcome.remaining for one in done) == 0


async def test_a_group_is_discarded_and_what_stood_behind_is_replayed() -> None:
    log, store = many(6), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Counter(store)
    counter.refuses = lambda event, _key: not isinstance(event, LampSwitchedOn)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        (group,) = await groups_of(engine)
        done = await all_of(engine.desk().groups, group, limit=4, action="discard")
        assert [one.discarded for one in done] == [4, 2]
        (last, _) = await engine.desk().history(None, 10)
        assert (last.requested.action, last.requested.count) == ("discard", 2)
        assert last.ended is not None
        assert (last.ended.discarded, last.ended.replayed, last.ended.remaining) == (2, 2, 0)
    assert parked(store) == []
    assert {one["reason"] for one in store.documents("discarded_events").values()} == {"mended"}
    assert {len(one["counts"]) for one in store.documents("counter").values()} == {1}


async def test_what_fails_or_comes_meanwhile_is_not_discarded() -> None:
    """Nobody who asked had seen it."""
    log, store = many(4), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        groups = engine.desk().groups
        even = by_message(await groups_of(engine), "even")
        first = await groups.discard("counter", even, Portion(limit=1), ADA)
        log.happen(installed("l8"), installed("l6"))
        scripted.append(*log.events[-2:])
        await all_done(scripted, engine, 1)
        second = await groups.discard("counter", even, Portion(first.next or -1, first.asked_at, 10), ADA)
        assert (first.discarded, second.discarded, second.next) == (1, 1, None)
        # The events behind the discarded ones fail alike, so the group lives on with them and with what has come.
        (one,) = await groups.of_fingerprint("counter", even)
    left = [one for one in parked(store) if one["key"] in ("l8", "l6")]
    assert len(left) == 2
    assert one.group.count == len([one for one in parked(store) if one["fingerprint"] == even])


async def test_two_operators_at_once_do_it_once() -> None:
    log, store = many(12), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        counter.mended = frozenset({"even"})
        counter.handled.clear()
        outcomes = await asyncio.gather(
            all_of(engine.desk().groups, even, limit=3),
            all_of(engine.desk().groups, even, limit=2),
            return_exceptions=True,
        )
        for one in outcomes:
            assert not isinstance(one, BaseException) or isinstance(one, NoSuchDeadLetter), one
        assert even not in await groups_of(engine)
    counts = store.documents("counter")
    assert {tuple(one["counts"].values()) for one in counts.values()} == {(1, 1)}
    assert len(counts) == 6


async def test_a_portion_that_is_cut_off_is_told_so_and_done_by_the_next() -> None:
    log, store = many(8), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        counter.mended = frozenset({"even"})

        async def away(operation: str, collection: str) -> None:
            if (operation, collection) == ("write", "dead_letter_requests"):
                raise ReadStoreUnavailable("away")

        store.before = away
        with pytest.raises(ReadStoreUnavailable):
            await all_of(engine.desk().groups, even, limit=2)

        async def back(_operation: str, _collection: str) -> None: ...

        store.before = back
        (cut,) = await engine.desk().history("counter", 5)
        assert cut.ended is not None
        assert cut.ended.fault == "ReadStoreUnavailable: away"
        await all_of(engine.desk().groups, even, limit=2)
        assert even not in await groups_of(engine)


async def test_nothing_is_done_without_a_trace() -> None:
    log, store = many(2), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        even = by_message(await groups_of(engine), "even")
        counter.mended = frozenset({"even", "odd"})
        before, engine.audit_log.away = parked(store), True
        position = before[0]["position"]
        desk = engine.desk()
        for attempt in (
            lambda: desk.groups.retry("counter", even, Portion(), ADA),
            lambda: desk.groups.discard("counter", even, Portion(), ADA),
            lambda: desk.letters.retry("counter", None),
            lambda: desk.letters.discard("counter", position, "x"),
        ):
            with pytest.raises(EventStoreUnavailable):
                await attempt()
        assert parked(store) == before
        assert store.documents("discarded_events") == {}
        engine.audit_log.away = False
        # It goes away between the two entries: the work is done, and only its outcome is not known.
        requested = engine.audit_log.append

        async def once(*given: Any) -> Any:
            engine.audit_log.append = requested
            answer = await requested(*given)
            engine.audit_log.away = True
            return answer

        engine.audit_log.append = once
        outcome = await desk.letters.retry("counter", None, by="bob", reason="try")
        assert outcome.replayed == 4
        engine.audit_log.away = False
        (entry,) = await desk.history("counter", 5)
        assert (entry.requested.by, entry.ended) == ("bob", None)
    assert {one.stream for one in engine.audit_log.log} == {stream_of("counter")}


async def test_the_largest_groups_are_shown_to_prometheus_and_gone_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("subscriptions.operating.group_watch.SHOWN", 2)

    def shown() -> dict[str, float]:
        (metric,) = PARKED_IN_GROUP.collect()
        return {one.labels["group"]: one.value for one in metric.samples if one.labels["consumer"] == "counter"}

    log, store = many(5), MemoryReadStore()
    log.add_raw("lamp-broken1", "LampExploded", b"{}")
    log.add_raw("lamp-broken2", "LampImploded", b"{}")
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        watch = GroupWatch(["counter", "unborn"], engine.desk().groups, PARKED_IN_GROUP)
        await watch.look()
        found = await groups_of(engine)
        even, odd = by_message(found, "even"), by_message(found, "odd")
        assert shown() == {even: 6, odd: 4, "other": 2}
        counter.mended = frozenset({"even"})
        await all_of(engine.desk().groups, even, limit=5)
        await watch.look()
        assert even not in shown()
        assert shown()[odd] == 4
        counter.mended = frozenset({"odd"})
        await all_of(engine.desk().groups, odd, limit=5)
        await watch.look()
        assert sorted(shown().values()) == [1, 1]


async def test_bad_inputs() -> None:
    log, store = many(1), MemoryReadStore()
    scripted = ScriptedLog(log.events)
    async with consuming(scripted, store, Counter(store, refuses=nothing)) as engine:
        await all_done(scripted, engine, 1)
        groups = engine.desk().groups
        with pytest.raises(NoSuchConsumer):
            await groups.retry("nobody", "0123456789ab", Portion(), ADA)
        with pytest.raises(NoSuchDeadLetter, match="group 0123456789ab"):
            await groups.discard("counter", "0123456789ab", Portion(), ADA)
        with pytest.raises(ValueError, match="no fingerprint"):
            await groups.retry("counter", "0123", Portion(), ADA)
        assert await engine.desk().history("counter", 5) == []
        assert await groups.page("nobody", after=None, limit=5) == ([], None)


async def test_records_of_an_older_release_are_grouped_and_replayed() -> None:
    log, store = many(5), MemoryReadStore()
    scripted, counter = ScriptedLog(log.events), Faulty(store)
    await consume_all(scripted, store, counter)
    new = ("fingerprint", "fault", "place", "message", "retries", "retried_at")
    for key, document in store.documents("parked_events").items():
        old = {name: value for name, value in document.items() if name not in (*new, "_id", "_position")}
        await store.delete("parked_events", key)
        await store.write("parked_events", [Write(key, document["_position"], old)])
    scripted = ScriptedLog(log.events)
    async with consuming(scripted, store, counter) as engine:
        await all_done(scripted, engine, 1)
        found = await groups_of(engine)
        text = "ZeroDivisionError: even lamps such as # are too much"
        even = by_message(found, "even")
        assert found[even] == (text, 6, 3)
        assert even == failure_told("ZeroDivisionError: even lamps such as # are too much", "LampInstalled").fingerprint
        log.happen(switched_on("l0"))
        scripted.append(log.events[-1])
        await all_done(scripted, engine, 1)
        assert (await groups_of(engine))[even] == (text, 7, 3), "what comes behind it now is of the same group"
        counter.mended = frozenset({"even"})
        done = await all_of(engine.desk().groups, even, limit=2)
        assert sum(one.outcome.replayed for one in done) == 7
        assert even not in await groups_of(engine)

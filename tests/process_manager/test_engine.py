"""The engine over the tiny domain: a process that lights a lamp while a parcel is on its way."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from domain.model.process_events import CommandIssued, CompensationFailed, ProcessEnded, TimerFired
from infrastructure.clock import utc_now
from infrastructure.event_codec import decode_metadata
from infrastructure.evidence.chain import link_of
from process_manager.instances.operating import NoSuchInstance, NotStuck
from subscriptions.coordination.plain_workload import ConsumerRecords
from subscriptions.operating.dead_letter_desk import DeadLetterDesk
from subscriptions.operating.dead_letters import DeadLetterOperations
from subscriptions.operating.plain_catalogue import PlainCatalogue
from tests.infrastructure.evidence.auditable_log import AuditableLog, report_of
from tests.process_manager.world import NOON, Answer, Manager, World, life, managing, until
from tests.support.tiny.lamp import LampInstalled, LampSwitchedOn
from tests.support.tiny.parcel import ParcelDelivered, ParcelSent
from tests.support.tiny.porch_light import PORCHES


def names(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.fixture
async def world() -> World:
    world = World(PORCHES)
    await world.happen("lamp-ada", LampInstalled("ada", "porch", 40, NOON))
    return world


async def sent(world: World, parcel: str, recipient: str = "ada") -> None:
    await world.happen(f"parcel-{parcel}", ParcelSent(parcel, recipient, 300, NOON))


async def delivered(world: World, parcel: str) -> None:
    await world.happen(f"parcel-{parcel}", ParcelDelivered(parcel, NOON, NOON))


def ended(world: World, *parcels: str) -> Any:
    return lambda: all(world.instance(one).outcome for one in parcels)


async def test_from_the_first_event_to_the_end(world):
    async with managing(world):
        await sent(world, "p1")
        await until(lambda: LampSwitchedOn("ada", NOON) in world.events("lamp-ada"))
        await until(lambda: world.instance("p1").state.lit)
        assert list(world.instance("p1").timers) == ["patience"]
        await delivered(world, "p1")
        await until(ended(world, "p1"))
        await until(lambda: world.record("p1").get("status") == "ended")
    assert names(world.events("lamp-ada")) == ["LampInstalled", "LampSwitchedOn", "LampSwitchedOff"]
    assert world.instance("p1").outcome == "delivered"
    assert names(world.events("porch_light-p1")) == [
        *("ProcessTriggered", "PorchLit", "TimerSet", "CommandIssued"),
        *("CommandAnswered", "ProcessTriggered", "LampLit"),
        *("ProcessTriggered", "WaitOver", "TimerCancelled", "CommandIssued"),
        *("CommandAnswered", "ProcessTriggered", "ProcessEnded"),
    ]
    record = world.record("p1")
    assert (record["outcome"], record["attention_at"] > 2**52, record["stuck"]) == ("delivered", True, 0)


async def test_a_refused_command_is_decided_on(world):
    async with managing(world):
        await sent(world, "p1", recipient="unknown")
        await until(ended(world, "p1"))
    assert world.instance("p1").outcome == "dark"
    (command,) = world.instance("p1").commands.values()
    assert (command.answers, command.open) == (1, False)


async def test_what_has_no_answer_is_sent_again_under_the_same_key_until_it_has_one(world):
    world.unanswered = 7
    async with managing(world, patience=1e9):
        await sent(world, "p1")
        await until(lambda: world.instance("p1").state is not None and world.instance("p1").state.lit)
    assert len(world.sent) == 8
    assert len(world.keys) == 1
    assert names(world.events("lamp-ada")) == ["LampInstalled", "LampSwitchedOn"]


async def test_a_command_without_an_answer_holds_up_no_other_instance(world):
    await world.happen("lamp-bob", LampInstalled("bob", "porch", 40, NOON))

    async def hang(operation: str, key: str) -> None:
        if operation == "send" and not world.sent:
            world.sent.append(("", "", ""))
            await until(lambda: False, 1e6)

    world.before = hang
    async with managing(world):
        await sent(world, "p1")
        await until(lambda: world.sent != [])
        await sent(world, "p2", "bob")
        await delivered(world, "p2")
        await until(ended(world, "p2"))
    assert world.instance("p1").open_steps == {"on"}


async def test_a_timer_fires_once(world, monkeypatch):
    monkeypatch.setattr("tests.support.tiny.porch_light.PATIENCE", timedelta(milliseconds=50))
    async with managing(world), managing(world):
        await sent(world, "p1")
        await until(ended(world, "p1"))
    assert world.instance("p1").outcome == "waited"
    assert names(world.events("porch_light-p1")).count("TimerFired") == 1


async def test_a_timer_that_fell_due_while_nobody_ran_fires_once_at_the_start(world, monkeypatch):
    monkeypatch.setattr("tests.support.tiny.porch_light.PATIENCE", timedelta(seconds=1))
    async with managing(world):
        await sent(world, "p1")
        await until(lambda: world.instance("p1").state is not None and world.instance("p1").state.lit)
        await until(lambda: world.record("p1").get("next_timer") == "patience")
        assert not [one for one in world.events("porch_light-p1") if isinstance(one, TimerFired)]
    due = world.instance("p1").timers["patience"].due_at
    await until(lambda: utc_now() > due)
    async with managing(world):
        await until(ended(world, "p1"))
    async with managing(world):
        await until(lambda: world.followed.is_drained)
    fired = [one for one in world.events("porch_light-p1") if isinstance(one, TimerFired)]
    assert [(one.name, one.due_at) for one in fired] == [("patience", due)]


async def test_a_compensation_that_is_refused_makes_it_stuck_until_it_is_retried(world):
    world.refuse = lambda plural, _id, action: Answer(False, 409, "jammed", "it is") if action == "switch-off" else None
    async with managing(world):
        await sent(world, "p1")
        await until(lambda: world.instance("p1").state is not None and world.instance("p1").state.lit)
        await delivered(world, "p1")
        await until(lambda: world.instance("p1").stuck)
        await until(lambda: world.record("p1").get("status") == "stuck")
        assert [action for *_, action in world.sent].count("switch-off") == 3
        (failed,) = [one for one in world.events("porch_light-p1") if isinstance(one, CompensationFailed)]
        assert (failed.step, failed.code, failed.detail) == ("off", "jammed", "it is")
        # What comes meanwhile does not free it, nor is anything sent again.
        await delivered(world, "p1")
        await until(lambda: world.followed.is_drained)
        assert world.instance("p1").stuck
        world.refuse = lambda *_: None
        assert await world.operations.retry("porch_light", "p1") == ["off"]
        await until(ended(world, "p1"))
        await until(lambda: world.record("p1").get("status") == "ended")
    assert names(world.events("lamp-ada"))[-1] == "LampSwitchedOff"
    with pytest.raises(NotStuck):
        await world.operations.retry("porch_light", "p1")
    with pytest.raises(NoSuchInstance):
        await world.operations.resolve("porch_light", "p9", "no reason")


async def test_a_compensation_without_an_answer_is_given_up_and_resolved_by_hand(world):
    async with managing(world):
        await sent(world, "p1")
        await until(lambda: world.instance("p1").state is not None and world.instance("p1").state.lit)
        world.unanswered = 1000
        await delivered(world, "p1")
        await until(lambda: world.instance("p1").stuck)
        assert world.instance("p1").failures["off"].code == "no-answer"
        # Retried, it is the same command under the same key: it may have been carried out.
        before = set(world.keys)
        await world.operations.retry("porch_light", "p1")
        await until(lambda: not world.instance("p1").stuck)
        await until(lambda: world.instance("p1").stuck)
        assert set(world.keys) == before
        assert await world.operations.resolve("porch_light", "p1", "unscrewed", actor="olaf") == ["off"]
        await until(ended(world, "p1"))
    story = await world.operations.story("porch_light", "p1")
    assert [(one.step, one.accepted, one.code) for one in story.commands] == [
        ("on", True, ""),
        ("off", False, "no-answer"),
    ]
    assert "CompensationResolved" in [one.type for one in story.history]
    actors = {one.type: decode_metadata(one).actor for one in await world.read_stream("porch_light-p1")}
    assert actors["CompensationResolved"] == "olaf"
    assert actors["CompensationRetried"] == "process-manager"


def dead_letters(world: World, manager: Manager) -> DeadLetterOperations:
    catalogue = PlainCatalogue(ConsumerRecords(world.documents), ["porch_light"])
    return DeadLetterDesk(world.documents, catalogue, manager.coordinator.changed, world, timeout=30).letters


async def parked(operations: DeadLetterOperations) -> tuple[str, str]:
    """The key and the error of the first dead letter, once there is one."""
    async with asyncio.timeout(30):
        while True:
            page, _ = await operations.page("porch_light", None, after=-1, limit=10)
            if page:
                return page[0].key, page[0].error
            await asyncio.sleep(0.001)


async def test_a_process_that_fails_on_an_event_stops_that_instance_alone(world):
    async with managing(world) as manager:
        await sent(world, "poison", recipient="nobody")
        await sent(world, "p1")
        await delivered(world, "p1")
        await until(ended(world, "p1"))
        found = await parked(dead_letters(world, manager))
        assert found == ("poison", "ValueError: nobody has no lamp")


async def test_a_fault_in_deciding_on_an_answer_parks_the_answer_and_a_retry_goes_on(world, monkeypatch):
    def broken(*_: Any) -> Any:
        raise ValueError("a bug")

    async with managing(world) as manager:
        monkeypatch.setattr("tests.support.tiny.porch_light.LampLit", broken)
        await sent(world, "p1")
        operations = dead_letters(world, manager)
        assert await parked(operations) == ("p1", "ValueError: a bug")
        assert names(world.events("porch_light-p1"))[-1] == "CommandAnswered", "the answer is kept all the same"
        await delivered(world, "p1")
        monkeypatch.undo()
        outcome = await operations.retry("porch_light", None)
        assert outcome.remaining == 0
        await until(ended(world, "p1"))
    assert names(world.events("lamp-ada"))[1:] == ["LampSwitchedOn", "LampSwitchedOff"]


@pytest.mark.parametrize("seed", range(12))
async def test_killed_between_any_two_writes_it_comes_to_the_same(seed, monkeypatch):
    choose = random.Random(seed)
    monkeypatch.setattr("tests.support.tiny.porch_light.PATIENCE", timedelta(milliseconds=choose.choice([5, 10**8])))
    world = World(PORCHES)
    parcels = [f"p{number}" for number in range(5)]
    for parcel in parcels:
        if choose.random() < 0.8:
            await world.happen(f"lamp-{parcel}", LampInstalled(parcel, "porch", 40, NOON))
        await sent(world, parcel, parcel)
    for parcel in parcels:
        if choose.random() < 0.7:
            await delivered(world, parcel)
    lives = 0
    waiting = {parcel for parcel in parcels if len(world.events(f"parcel-{parcel}")) == 1}

    def done() -> bool:
        instances = [world.instance(parcel) for parcel in parcels]
        return all(
            one.outcome or (one.id in waiting and one.timers and one.state is not None and one.state.lit)
            for one in instances
        )

    while not await life(world, done, choose, consumer_partitions=choose.choice([1, 3])):
        lives += 1
        world.unanswered = choose.randrange(3)
        assert lives < 300
    for parcel in parcels:
        switched = names(world.events(f"lamp-{parcel}"))[1:]
        instance = world.instance(parcel)
        assert switched in ([], ["LampSwitchedOn"], ["LampSwitchedOn", "LampSwitchedOff"])
        assert (switched == ["LampSwitchedOn"]) == (not instance.outcome)
        assert len([one for one in world.events(f"porch_light-{parcel}") if isinstance(one, ProcessEnded)]) <= 1
        steps = [one.step for one in world.events(f"porch_light-{parcel}") if isinstance(one, CommandIssued)]
        assert len(steps) == len(set(steps))
    chained = [event for event in world.log if event.stream.startswith("porch_light-")]
    assert all(link_of(event) is not None for event in chained)
    assert (await report_of(AuditableLog(chained))).finding is None

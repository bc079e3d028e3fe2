"""An instance is one trace, from the event that began it to its end, whoever carries it on."""

import random
from typing import Any

from infrastructure.event_codec import decode_metadata
from tests.process_manager.world import NOON, World, life, managing, until
from tests.support.tiny.lamp import LampInstalled
from tests.support.tiny.parcel import ParcelDelivered, ParcelSent
from tests.support.tiny.porch_light import PORCHES
from tests.support.tracing import recorded_spans

ORDERED, ARRIVED = 7, 8


def of(trace: int) -> str:
    return f"00-{trace:032x}-{1:016x}-01"


async def begun() -> World:
    world = World(PORCHES)
    await world.happen("lamp-ada", LampInstalled("ada", "porch", 40, NOON))
    return world


async def sent(world: World) -> None:
    await world.happen("parcel-p1", ParcelSent("p1", "ada", 300, NOON), traceparent=of(ORDERED))


async def delivered(world: World) -> None:
    await world.happen("parcel-p1", ParcelDelivered("p1", NOON, NOON), traceparent=of(ARRIVED))


def is_lit(world: World) -> Any:
    return lambda: world.instance("p1").state is not None and world.instance("p1").state.lit


async def test_reactions_and_steps_are_of_the_trace_of_the_event_that_began_it() -> None:
    world = await begun()
    with recorded_spans() as recorded:
        async with managing(world):
            await sent(world)
            await until(is_lit(world))
            await delivered(world)
            await until(lambda: bool(world.instance("p1").outcome))
    assert {span.context.trace_id for span in recorded.spans} == {ORDERED}
    reactions = [span for span in recorded.spans if span.name == "react porch_light"]
    kinds = [(span.attributes or {})["eventfold.trigger"] for span in reactions]
    assert kinds == ["event", "answer", "event", "answer"]
    # The delivery is of another trace: it is linked, and does not tear the instance's own apart.
    assert [[link.context.trace_id for link in span.links] for span in reactions] == [[], [], [ARRIVED], []]
    on, off = recorded.one("step on"), recorded.one("step off")
    assert on.parent == reactions[0].context
    assert reactions[1].parent == on.context
    assert off.parent == reactions[2].context
    assert (on.attributes or {})["eventfold.accepted"] is True


async def test_its_events_carry_the_trace() -> None:
    world = await begun()
    with recorded_spans():
        async with managing(world):
            await sent(world)
            await until(is_lit(world))
    own = [decode_metadata(one) for one in world.log if one.stream == "porch_light-p1"]
    assert {(one.traceparent or "")[3:35] for one in own} == {f"{ORDERED:032x}"}


async def test_who_finds_a_command_open_after_a_crash_goes_on_in_the_same_trace() -> None:
    world, choose = await begun(), random.Random(11)
    with recorded_spans() as recorded:
        await sent(world)
        for _ in range(200):
            if await life(world, is_lit(world), choose):
                break
        async with managing(world):
            await until(is_lit(world))
    assert {span.context.trace_id for span in recorded.spans} == {ORDERED}


async def test_while_tracing_is_off_its_events_carry_none() -> None:
    world = await begun()
    async with managing(world):
        await sent(world)
        await until(is_lit(world))
    own = [decode_metadata(one) for one in world.log if one.stream == "porch_light-p1"]
    assert {one.traceparent for one in own} == {None}

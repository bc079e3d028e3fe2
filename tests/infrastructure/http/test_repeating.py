"""What a service does again and again beside its requests."""

import asyncio

from litestar import Litestar

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.repeating import repeating


async def test_it_goes_on_after_any_fault_until_the_service_ends():
    looks: list[int] = []
    enough = asyncio.Event()

    async def look() -> None:
        looks.append(len(looks))
        if len(looks) == 5:
            enough.set()
        raise (EventStoreUnavailable("away"), RuntimeError("broken"))[len(looks) % 2]

    async with repeating(look, 0)(Litestar()):
        await asyncio.wait_for(enough.wait(), 30)
    after = len(looks)
    await asyncio.sleep(0.01)
    assert len(looks) == after


async def test_one_that_hangs_does_not_hold_up_the_end():
    begun = asyncio.Event()

    async def look() -> None:
        begun.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(30), repeating(look, 0)(Litestar()):
        await begun.wait()

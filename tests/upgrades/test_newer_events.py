"""Events of a newer schema come while services of the version before still run: nothing is skipped, lost or decided
wrongly, and all is right when the new ones have taken over."""

import asyncio
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from tests.projector.verdict import assert_equal_to_a_fold
from tests.support.logs import PlainFold
from tests.support.read_store import ReadStoreDatabase
from tests.support.services import ROOT, until
from tests.upgrades.mixed_fleet import MixedFleet, mixed_fleet
from tests.upgrades.next_tiny_service import NEXT

pytestmark = pytest.mark.many_processes  # of several versions, side by side


@pytest.mark.timeout(900)
async def test_the_old_set_aside_what_is_newer_and_the_new_take_over(
    former_tree: Path, read_store_database: ReadStoreDatabase, tmp_path: Path
) -> None:
    async with mixed_fleet(tmp_path, former_tree, read_store_database) as fleet:
        await fleet.start(fleet.old_commands, fleet.old_projector, fleet.old_queries, fleet.new_commands)
        await both_decide(fleet)
        await the_old_set_aside_what_is_newer(fleet)
        await the_new_build_while_the_old_serve(fleet)
        await the_new_take_over(fleet)
        await the_old_are_put_back(fleet)
        await the_new_come_again(fleet)


async def test_what_the_next_release_wrote_is_answered_with_when_to_come_again(
    read_store_database: ReadStoreDatabase, tmp_path: Path
) -> None:
    """A client that repeats it, as it does with any 503, is served when the next release has taken over."""
    async with mixed_fleet(tmp_path, ROOT, read_store_database) as fleet:
        old, new = fleet.old_commands, fleet.new_commands
        await fleet.start(old, new, fleet.old_queries)
        await fleet.install(new, "new")
        status, told, headers = await fleet.ask(old, "POST", "/lamps/new/switch-on", {}, key="k-1")
        assert (status, told["type"]) == (503, "urn:eventfold:problem:newer-history")
        assert told["detail"] == "LampInstalled has schema version 3; this code knows 1 to 2"
        assert int(headers["retry-after"]) > 0
        first = await fleet.ask(new, "POST", "/lamps/new/switch-on", {}, key="k-1")
        assert first[0] == 200
        assert (await fleet.ask(old, "POST", "/lamps/new/switch-on", {}, key="k-1"))[0] == 503
        assert (await fleet.ask(new, "POST", "/lamps/new/switch-on", {}, key="k-1"))[1] == first[1]


async def both_decide(fleet: MixedFleet) -> None:
    """Old and new command APIs write side by side, and never decide on what they can't read."""
    old, new = fleet.old_commands, fleet.new_commands
    await fleet.install(old, "old")
    await fleet.install(new, "new")
    assert await fleet.switch(new, "old", "on") == (200, "")
    assert await fleet.switch(old, "old", "on") == (409, "rule-violation")
    assert await fleet.switch(old, "new", "on") == (500, "unreadable-history")
    assert await fleet.switch(new, "new", "on") == (200, "")
    # Of many at once, sent to both, one is right.
    tries = await asyncio.gather(*(fleet.switch((old, new)[one % 2], "old", "off") for one in range(20)))
    assert Counter(tries) == {(200, ""): 1, (409, "rule-violation"): 19}
    await keys_are_shared(fleet)


async def keys_are_shared(fleet: MixedFleet) -> None:
    """A repeated command gets its first answer from either; another one under its key is refused by both."""
    old, new = fleet.old_commands, fleet.new_commands
    on, other = ("POST", "/lamps/old/switch-on", {}), ("POST", "/lamps/old/switch-off", {})
    for first, second, key in ((old, new, "k-1"), (new, old, "k-2")):
        answer = await fleet.ask(first, *on, key=key)
        assert answer[0] == 200
        again = await fleet.ask(second, *on, key=key)
        assert again[:2] == answer[:2]
        assert again[2]["etag"] == answer[2]["etag"]
        assert (await fleet.ask(second, *other, key=key))[0] == 422
        assert await fleet.switch(second, "old", "off") == (200, "")


async def the_old_set_aside_what_is_newer(fleet: MixedFleet) -> None:
    """It is shown as dead letters that say why; what is not newer goes on."""
    await fleet.send(fleet.new_commands, "new")
    await fleet.send(fleet.old_commands, "old")
    status, told, _ = await fleet.ask(fleet.old_projector, "POST", "/drain?timeout=90")
    assert status == 200, told
    # By every view: what can't be read may be of any of them.
    streams, views = ("lamp-new", "parcel-new"), ("lamp_details", "parcel_days")
    assert await fleet.parked(fleet.old_projector) == set(product(views, streams))
    why = {one["error"] for one in await fleet.dead_letters(fleet.old_projector) if one["first"]}
    assert why == {
        "UnknownEventType: LampInstalled has schema version 3; this code knows 1 to 2",
        "UnknownEventType: ParcelSent has schema version 2; this code knows 1 to 1",
    }
    assert (await fleet.lamp(fleet.old_queries, "old"))["status"] == "off"
    assert await fleet.lamp(fleet.old_queries, "new") is None


async def the_new_build_while_the_old_serve(fleet: MixedFleet) -> None:
    """A view's new version is built beside the old one, and all that was set aside of it is in it."""
    await fleet.start(fleet.new_projector, fleet.new_queries)

    async def is_shown() -> bool:
        assert await fleet.lamp(fleet.old_queries, "old") is not None, "the old serve all the time"
        return await fleet.lamp(fleet.new_queries, "new") is not None

    await until(is_shown, "the new version is served", 90)
    assert (await fleet.lamp(fleet.new_queries, "new"))["colour"] == "white"

    async def old_shows_it() -> bool:
        return await fleet.lamp(fleet.old_queries, "new") is not None

    await until(old_shows_it, "the old query API serves the new build", 90)
    shown = await fleet.lamp(fleet.old_queries, "new")
    assert (shown["status"], shown["watts"]) == ("on", 40)
    await fleet.install(fleet.old_commands, "late")


async def the_new_take_over(fleet: MixedFleet) -> None:
    """What was set aside of a view of the same version is replayed; then every view equals a fold."""
    for one in (fleet.old_projector, fleet.old_commands, fleet.old_queries):
        await one.stop()
    status, told, _ = await fleet.ask(fleet.new_projector, "POST", "/drain?timeout=90")
    assert status == 200, told
    # The new build of lamp_details had none of it aside.
    assert await fleet.parked(fleet.new_projector) == {("parcel_days", "lamp-new"), ("parcel_days", "parcel-new")}
    retry = {"consumer": "parcel_days", "reason": "the new version is deployed"}
    status, told, _ = await fleet.ask(fleet.new_projector, "POST", "/dead-letters/retry", retry)
    assert (status, told["remaining"]) == (200, 0), told
    assert await fleet.dead_letters(fleet.new_projector) == []
    assert await fleet.switch(fleet.new_commands, "late", "on") == (200, "")
    await equals_a_fold(fleet)


async def the_old_are_put_back(fleet: MixedFleet) -> None:
    """Newer events are in the log by now. What is not newer goes on; what is, nobody decides on, and is set aside."""
    for one in (fleet.new_commands, fleet.new_projector, fleet.new_queries):
        await one.stop()
    await fleet.start(fleet.old_commands, fleet.old_projector, fleet.old_queries)
    assert await fleet.switch(fleet.old_commands, "new", "off") == (500, "unreadable-history")
    assert await fleet.switch(fleet.old_commands, "late", "off") == (200, "")
    assert (await fleet.lamp(fleet.old_queries, "new"))["status"] == "on", "what was shown is shown"
    await fleet.send(fleet.old_commands, "after")
    await fleet.start(fleet.new_commands)  # one that was forgotten, or comes too early
    await fleet.send(fleet.new_commands, "newer")
    await fleet.new_commands.stop()
    await fleet.send(fleet.old_commands, "last")
    # The other view's build is one that the old don't know, so they don't go on with it.
    status, told, _ = await fleet.ask(fleet.old_projector, "POST", "/drain?consumer=parcel_days&timeout=90")
    assert status == 200, told
    aside = await fleet.parked(fleet.old_projector)
    assert ("parcel_days", "parcel-newer") in aside
    assert {stream for _, stream in aside} <= {"parcel-newer", "parcel-new", "lamp-new"}, "only what is newer"


async def the_new_come_again(fleet: MixedFleet) -> None:
    """What was set aside meanwhile is replayed: nothing was lost or skipped in between."""
    for one in (fleet.old_projector, fleet.old_commands, fleet.old_queries):
        await one.stop()
    await fleet.start(fleet.new_projector, fleet.new_commands, fleet.new_queries)
    status, told, _ = await fleet.ask(fleet.new_projector, "POST", "/drain?timeout=90")
    assert status == 200, told
    for consumer in sorted({consumer for consumer, _ in await fleet.parked(fleet.new_projector)}):
        retry = {"consumer": consumer, "reason": "the new version is there again"}
        status, told, _ = await fleet.ask(fleet.new_projector, "POST", "/dead-letters/retry", retry)
        assert (status, told["remaining"]) == (200, 0), told
    assert await fleet.dead_letters(fleet.new_projector) == []
    assert await fleet.switch(fleet.new_commands, "new", "off") == (200, "")
    await equals_a_fold(fleet)


async def equals_a_fold(fleet: MixedFleet) -> None:
    await fleet.ask(fleet.new_projector, "POST", "/drain?timeout=90")
    await assert_equal_to_a_fold(fleet.store, await fleet.events(), views=NEXT.views, fold=PlainFold(NEXT))

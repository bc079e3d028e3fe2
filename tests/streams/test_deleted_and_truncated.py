"""What each command and each question is answered about a stream that was deleted, cut off or made anew: a table, over
real processes, with an official client doing the deed while the aggregate is cached."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from esdbclient import NewEvent, StreamState

from command_api.aggregates import Aggregates
from infrastructure.event_codec import EventCodec
from tests.streams.world import Answer, World, world
from tests.support.http_session import http_session
from tests.support.read_store import ReadStoreServer
from tests.support.tiny.meter import METER

pytestmark = pytest.mark.asyncio(loop_scope="module")

INSTALL = {"room": "hall", "watts": 40}
KEY = "install-it"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def there(tmp_path_factory: pytest.TempPathFactory, read_store_server: ReadStoreServer) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("streams"), read_store_server) as made:
        yield made


async def soft_deleted(there: World, stream: str) -> None:
    await there.delete(stream)


async def tombstoned(there: World, stream: str) -> None:
    await there.tombstone(stream)


async def truncated_before(there: World, stream: str) -> None:
    await there.cut_off(stream, tb=1)


async def truncated_to_a_count(there: World, stream: str) -> None:
    await there.cut_off(stream, maxCount=1)


async def expired(there: World, stream: str) -> None:
    await there.cut_off(stream, maxAge=1)
    await there.has_expired(stream)


async def recreated(there: World, stream: str) -> None:
    await there.delete(stream)
    await there.done(there.cold, f"/lamps/{stream.removeprefix('lamp-')}", {"room": "attic", "watts": 7})


async def untouched(_there: World, _stream: str) -> None:
    pass


GONE, CUT_HERE, CUT_WHOLLY = "410 deleted", "410 history-truncated 1", "410 history-truncated"
STUCK, STUCK_WHOLLY = "409 history-truncated 1", "409 history-truncated"
REFUSED = "409 rule-violation"

TABLE: dict[Any, dict[str, str]] = {
    untouched: {
        "a repeated creation": "201", "a creation": REFUSED, "history": "200", "as of 0": "200 off",
        "as of 1": "200 on", "as of now": "200 on", "view": "200 on", "warm": "200", "cold": REFUSED,
        "created again": REFUSED,
    },
    soft_deleted: {
        "warm": GONE, "cold": GONE, "a repeated creation": GONE, "history": GONE, "as of 0": GONE, "as of 1": GONE,
        "as of now": GONE, "view": "404 not-found", "created again": "201",
    },
    tombstoned: {
        "warm": GONE, "cold": GONE, "a repeated creation": GONE, "a creation": GONE, "history": GONE, "as of 0": GONE,
        "as of 1": GONE, "as of now": GONE, "view": "404 not-found", "created again": GONE,
    },
    truncated_before: {
        "warm": STUCK, "cold": STUCK, "a repeated creation": STUCK, "a creation": STUCK, "history": "200 truncated 1",
        "as of 0": CUT_HERE, "as of 1": CUT_HERE, "as of 2": "404 not-found", "as of now": CUT_HERE, "view": "200 on",
        "created again": STUCK,
    },
    truncated_to_a_count: {
        "warm": STUCK, "cold": STUCK, "a repeated creation": STUCK, "a creation": STUCK, "history": "200 truncated 1",
        "as of 0": CUT_HERE, "as of 1": CUT_HERE, "as of 2": "404 not-found", "as of now": CUT_HERE, "view": "200 on",
        "created again": STUCK,
    },
    expired: {
        "warm": STUCK_WHOLLY, "cold": STUCK_WHOLLY, "a repeated creation": STUCK_WHOLLY, "a creation": STUCK_WHOLLY,
        "history": CUT_WHOLLY, "as of 0": CUT_WHOLLY, "as of 1": CUT_WHOLLY, "as of now": CUT_WHOLLY, "view": "200 on",
        "created again": STUCK_WHOLLY,
    },
    recreated: {
        "warm": REFUSED, "a repeated creation": REFUSED, "a creation": REFUSED, "history": "200 whole 2",
        "as of 0": "410 history-truncated 2", "as of 1": "410 history-truncated 2", "as of 2": "200 off",
        "as of now": "200 off", "view": "200 off", "cold": REFUSED, "created again": REFUSED,
    },
}  # fmt: skip


def told(answer: Answer) -> str:
    """An answer in few words: status, problem, first version; or what matters of a document."""
    status, body = answer
    if "type" in body:
        words = [body["type"].rpartition(":")[2], body.get("first_version")]
    else:
        truncated = {None: None, True: "truncated", False: "whole"}[body.get("truncated")]
        words = [body.get("status"), truncated, body.get("first_version")]
    return " ".join(str(word) for word in (status, *words) if word is not None)


@pytest.mark.parametrize("deed", TABLE, ids=lambda deed: deed.__name__)
async def test_what_is_answered(there: World, deed: Any) -> None:
    lamp = deed.__name__.replace("_", "-")
    path, expected = f"/lamps/{lamp}", TABLE[deed]
    await there.done(there.warm, path, INSTALL, key=KEY)
    await there.done(there.warm, f"{path}/switch-on")
    await there.drained()
    await deed(there, f"lamp-{lamp}")
    await there.drained()

    questions = {
        "warm": lambda: there.command(there.warm, f"{path}/switch-off"),
        "cold": lambda: there.command(there.cold, f"{path}/switch-off"),
        "a repeated creation": lambda: there.command(there.cold, path, INSTALL, key=KEY),
        "a creation": lambda: there.command(there.cold, path, INSTALL),
        "history": lambda: there.query(f"{path}/history"),
        "as of 0": lambda: there.query(f"{path}?as_of=0"),
        "as of 1": lambda: there.query(f"{path}?as_of=1"),
        "as of 2": lambda: there.query(f"{path}?as_of=2"),
        "as of now": lambda: there.query(f"{path}?as_of=2999-01-01T00:00:00Z"),
        "view": lambda: there.query(path),
        "created again": lambda: there.command(there.warm, path, INSTALL),
    }
    answers = {question: told(await questions[question]()) for question in expected}
    assert answers == expected


async def test_lists_and_rebuilds_and_verify_agree(there: World) -> None:
    """Runs after the table; its lamps are the log."""

    async def listed() -> set[str]:
        return {row["lamp_id"] for row in (await there.query("/lamps?limit=200"))[1]["items"]}

    await there.drained()
    live = await listed()
    assert {"truncated-before", "truncated-to-a-count", "expired", "recreated", "soft-deleted"} <= live
    assert "tombstoned" not in live
    assert await there.different() == []
    await there.rebuilt()
    assert await listed() == live
    assert await there.different() == []
    assert await there.dead_letters() == []


async def test_a_meter_with_a_snapshot_goes_on_after_it_was_cut_off(there: World) -> None:
    path, stream = "/meters/m-1", "meter-m-1"
    await there.done(there.warm, path, key=KEY)
    for shows in range(1, 8):
        await there.done(there.warm, f"{path}/read", {"shows": shows}, key=f"read-{shows}")
    await there.done(there.warm, f"{path}/read", {"shows": 8})
    await there.snapshots_up_to("meter_snapshot-m-1", 7)
    await there.cut_off(stream, tb=8)

    for at in (there.warm, there.cold):
        # Commands with a key are known by the snapshot, and not carried out again.
        assert (await there.done(at, f"{path}/read", {"shows": 7}, key="read-7"))["version"] == 7
        assert (await there.done(at, path, key=KEY))["version"] == 0
        assert told(await there.command(at, f"{path}/read", {"shows": 3})) == REFUSED
    assert (await there.done(there.cold, f"{path}/read", {"shows": 9}))["version"] == 9
    assert (await there.done(there.warm, f"{path}/read", {"shows": 10}))["version"] == 10
    assert told(await there.query(f"{path}?as_of=6")) == "410 history-truncated 8"
    for version, shows in ((7, 7), (8, 8), (9, 9), (10, 10)):
        status, state = await there.query(f"{path}?as_of={version}")
        assert (status, state["shows"], state["readings"]) == (200, shows, shows), state
    assert told(await there.query(f"{path}/history")) == "200 truncated 8"

    # Nothing is left but the snapshot; and then more is gone than it stands for.
    assert (await there.done(there.warm, f"{path}/read", {"shows": 11}))["version"] == 11
    await there.snapshots_up_to("meter_snapshot-m-1", 11)
    await there.cut_off(stream, tb=12)
    assert (await there.done(there.cold, f"{path}/read", {"shows": 12}))["version"] == 12
    assert (await there.done(there.warm, f"{path}/read", {"shows": 13}))["version"] == 13
    await there.cut_off(stream, tb=13)
    for at in (there.warm, there.cold):
        assert told(await there.command(at, f"{path}/read", {"shows": 14})) == "409 history-truncated 13"


async def test_snapshots_that_are_wrong_are_not_used(there: World) -> None:
    """One that can't be read, one of another stream, one of another history: the events are all that counts."""
    path = "/meters/m-2"
    await there.done(there.warm, path)
    for shows in range(1, 5):
        await there.done(there.warm, f"{path}/read", {"shows": shows})
    await there.snapshots_up_to("meter_snapshot-m-2", 3)
    (right,) = await there.log.read_newest("meter_snapshot-m-2", 1)
    wrong = [
        b"\xff not JSON",
        right.data.replace(b"meter-m-2", b"meter-m-3"),
        right.data.replace(b'"shows":3', b'"shows":1000').replace(b'"event_id":"', b'"event_id":"0'),
        right.data.replace(b'"state_version":1', b'"state_version":2').replace(b'"shows":3', b'"shows":1000'),
        right.data.replace(b'"revision":3', b'"revision":99').replace(b'"shows":3', b'"shows":1000'),
    ]
    for number, data in enumerate(wrong):  # each is the newest, and none is what it says
        event = NewEvent(type=right.type, data=data)
        await there.client.append_to_stream("meter_snapshot-m-2", current_version=StreamState.ANY, events=[event])
        loaded = await Aggregates(there.log, EventCodec((METER,)), 10).load(METER, "m-2")
        assert (loaded.revision, loaded.state.shows, loaded.state.readings) == (4, 4, 4), number
    assert (await there.done(there.cold, f"{path}/read", {"shows": 5}))["version"] == 5


async def test_a_stream_that_was_made_anew_owes_nothing_to_an_old_snapshot(there: World) -> None:
    path = "/meters/m-4"
    await there.done(there.warm, path, key=KEY)
    for shows in range(1, 4):
        await there.done(there.warm, f"{path}/read", {"shows": shows * 100})
    await there.snapshots_up_to("meter_snapshot-m-4", 3)
    await there.delete("meter-m-4")
    assert told(await there.command(there.warm, f"{path}/read", {"shows": 1})) == GONE
    assert told(await there.command(there.cold, path, key=KEY)) == GONE
    assert (await there.done(there.cold, path))["version"] == 4
    for shows, at in enumerate((there.warm, there.cold), start=1):
        assert (await there.done(at, f"{path}/read", {"shows": shows}))["version"] == 4 + shows
    assert (await there.query(f"{path}?as_of=6"))[1]["readings"] == 2


async def test_after_a_scavenge_nothing_is_made_of_half_a_stream(there: World) -> None:
    """Runs after the table; its lamps are the log."""
    await there.drained()
    await there.scavenged()
    halves = {"truncated-before", "truncated-to-a-count", "expired"}
    found = await there.different()
    assert {(one.key, one.field, one.expected) for one in found} == {(half, "(document)", None) for half in halves}
    await there.rebuilt()
    assert await there.different() == []
    assert await there.dead_letters() == []
    for lamp in halves | {"tombstoned"}:
        assert told(await there.query(f"/lamps/{lamp}")) == "404 not-found"
    assert told(await there.query("/lamps/untouched")) == "200 off"
    for lamp in ("soft-deleted", "recreated"):
        assert told(await there.query(f"/lamps/{lamp}")) == "200 off"


async def test_the_whole_of_it_is_told_in_the_openapi_documents(there: World, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{there.queries.url}/schema/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    for path in ("/lamps/{lamp_id}", "/lamps/{lamp_id}/history", "/meters/{meter_id}", "/meters/{meter_id}/history"):
        assert "410" in paths[path]["get"]["responses"]
    async with http.get(f"{there.warm.url}/schema/openapi.json") as answer:
        refusals = (await answer.json())["paths"]["/lamps/{lamp_id}/switch-on"]["post"]["responses"]
    assert {"409", "410"} <= refusals.keys()


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with http_session() as session:
        yield session

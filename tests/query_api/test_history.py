"""An audit trail, and a document as it was: both from the stream, by the same decoding as everywhere."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.event_store import EventStore
from query_api.http.times import rfc3339
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.decider import NOON
from tests.support.served import Client
from tests.support.stream import Stream
from tests.support.tiny import TINY_CODEC
from tests.support.tiny.lamp import LampInstalled, LampSwitchedOff, LampSwitchedOn

INSTALLED = LampInstalled("l-1", "hall", 40, NOON)
ON = LampSwitchedOn("l-1", NOON)
OFF = LampSwitchedOff("l-1", NOON)
INSTALLED_V1 = b'{"lamp_id":"l-1","place":"attic","installed_at":"2024-01-31T12:00:00Z"}'
"""A LampInstalled as version 1 had it: no schema version, `place`, no watts."""


@pytest.fixture
def stream(events: EventStore) -> Stream:
    """The stream of lamp `l-1`."""
    return Stream(events, TINY_CODEC, "lamp-l-1")


async def test_history_says_what_when_who_and_why(api_with_events: Client, stream: Stream) -> None:
    installed = await stream.happened(
        INSTALLED, command_id="c-1", actor="ada", correlation_id="k-1", causation_id="c-1"
    )
    switched = await stream.happened(ON, command_id="c-2")

    reply = await api_with_events.get("/lamps/l-1/history")

    history = reply.json
    assert history["stream"] == "lamp-l-1"
    assert "next" not in history
    first, second = history["items"]
    assert first == {
        "type": "LampInstalled",
        "schema_version": 2,
        "revision": 0,
        "position": installed.position,
        "recorded_at": rfc3339(installed.recorded_at),
        "event_id": installed.id,
        "actor": "ada",
        "command_id": "c-1",
        "correlation_id": "k-1",
        "causation_id": "c-1",
        "data": {"lamp_id": "l-1", "room": "hall", "watts": 40, "installed_at": "2026-03-14T12:00:00Z"},
    }
    assert (second["revision"], second["position"], second["command_id"]) == (1, switched.position, "c-2")
    assert "actor" not in second
    assert (await api_with_events.get("/lamps/l-1/history", {"If-None-Match": reply.headers["etag"]})).status == 304


async def test_history_shows_version_1_in_todays_shape(api_with_events: Client, stream: Stream) -> None:
    await stream.raw("LampInstalled", INSTALLED_V1)
    (event,) = (await api_with_events.get("/lamps/l-1/history")).json["items"]
    assert event["schema_version"] == 1
    assert event["data"] == {"lamp_id": "l-1", "room": "attic", "watts": 60, "installed_at": "2024-01-31T12:00:00Z"}


async def test_history_hides_nothing_that_it_cannot_read(api_with_events: Client, stream: Stream) -> None:
    await stream.happened(INSTALLED)
    await stream.raw("LampBlessed", b'{"by": "the bishop"}')
    await stream.raw("LampSwitchedOn", b'{"lamp_id": 7}')
    await stream.raw("LampSwitchedOn", b"\xff\x00not json")
    await stream.raw("LampInstalled", b"{}", b'{"schemaVersion": 99}')
    await stream.raw("LampSwitchedOff", b"{}", b"\xfe")
    await stream.raw("LampInstalled", b"{}", b'{"schemaVersion": 1}')

    items = (await api_with_events.get("/lamps/l-1/history")).json["items"]

    assert [item["revision"] for item in items] == list(range(7))
    assert "error" not in items[0]
    unknown, wrong, binary, newer, metadata, not_liftable = items[1:]
    assert "LampBlessed" in unknown["error"]
    assert unknown["stored_data"] == {"by": "the bishop"}
    assert "$.lamp_id" in wrong["error"]
    assert base64.b64decode(binary["stored_base64"]) == b"\xff\x00not json"
    assert "schema version 99" in newer["error"]
    assert "metadata" in metadata["error"]
    assert "upcasting failed" in not_liftable["error"]
    assert all("data" not in item for item in items[1:])


async def test_a_long_history_comes_in_pages(api_with_events: Client, stream: Stream) -> None:
    for event in (INSTALLED, ON, OFF):
        await stream.happened(event)
    first = (await api_with_events.get("/lamps/l-1/history?limit=2")).json
    assert [item["revision"] for item in first["items"]] == [0, 1]
    last = (await api_with_events.get(f"/lamps/l-1/history?limit=2&from={first['next']}")).json
    assert [item["type"] for item in last["items"]] == ["LampSwitchedOff"]
    assert "next" not in last
    (await api_with_events.get("/lamps/l-1/history?from=3")).refused(404)


async def test_a_wrong_parameter_of_history_is_400(api: Client) -> None:
    for query in ("limit=0", "limit=1001", "from=-1", "from=x", "at_least=1", "as_of=1"):
        (await api.get(f"/lamps/l-1/history?{query}")).refused(400, query.split("=")[0])


async def test_a_document_as_of_each_version(api_with_events: Client, stream: Stream) -> None:
    stored = [await stream.happened(event) for event in (INSTALLED, ON, OFF)]
    for version, status in enumerate(("off", "on", "off")):
        reply = await api_with_events.get(f"/lamps/l-1?as_of={version}")
        assert (reply.json["status"], reply.json["version"]) == (status, version)
        assert reply.headers["etag"] == f'"{version}"'
        assert reply.headers["eventfold-position"] == str(stored[version].position)
        assert reply.json["installed_position"] == stored[0].position
    (await api_with_events.get("/lamps/l-1?as_of=3")).refused(404, "version 3")


async def test_a_document_as_of_a_time_is_folded_that_far(api_with_events: Client, stream: Stream) -> None:
    stored = [await stream.happened(event) for event in (INSTALLED, ON, OFF)]

    async def status_at(moment: str) -> str:
        reply = await api_with_events.get(f"/lamps/l-1?as_of={moment}")
        return "none" if reply.status == 404 else reply.json["status"]

    for event, before, since in zip(stored, ("none", "off", "on"), ("off", "on", "off"), strict=True):
        assert await status_at(rfc3339(event.recorded_at - 1)) == before
        assert await status_at(rfc3339(event.recorded_at)) == since
        assert await status_at(rfc3339(event.recorded_at + 1)) == since
    assert await status_at("2999-01-01T00:00:00Z") == "off"


async def test_an_offset_names_the_same_moment(api_with_events: Client, stream: Stream) -> None:
    installed = await stream.happened(INSTALLED)
    moment = datetime.fromtimestamp(installed.recorded_at / 1000, UTC) + timedelta(hours=2)
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
    for offset in ("%2B02:00", "+02:00"):
        assert (await api_with_events.get(f"/lamps/l-1?as_of={text}{offset}")).status == 200
    assert (await api_with_events.get(f"/lamps/l-1?as_of={text}%2B02:01")).status == 404


async def test_a_document_of_schema_version_1_is_folded_through_the_upcaster(
    api_with_events: Client, stream: Stream
) -> None:
    await stream.raw("LampInstalled", INSTALLED_V1)
    await stream.happened(ON)
    lamp = (await api_with_events.get("/lamps/l-1?as_of=1")).json
    assert (lamp["status"], lamp["room"], lamp["watts"]) == ("on", "attic", 60)
    assert lamp["installed_at"] == "2024-01-31T12:00:00.000Z"


async def test_the_present_version_is_the_views_document(
    api_with_events: Client, stream: Stream, shelf: TinyShelf
) -> None:
    installed = await stream.happened(INSTALLED)
    await shelf.lamp("l-1", installed.position, installed_at=1_773_489_600_000, updated_at=1_773_489_600_000)
    now, then = [await api_with_events.get(f"/lamps/l-1{query}") for query in ("", "?as_of=0")]
    assert now.json == then.json
    assert now.headers == then.headers


async def test_a_state_that_rests_on_an_unreadable_event_is_refused(api_with_events: Client, stream: Stream) -> None:
    await stream.happened(INSTALLED)
    await stream.raw("LampBlessed", b"{}")
    assert (await api_with_events.get("/lamps/l-1?as_of=0")).status == 200
    newer = await api_with_events.get("/lamps/l-1?as_of=1")
    newer.refused(503, "event 1 of lamp-l-1", "LampBlessed")
    assert int(newer.headers["retry-after"]) > 0
    await stream.raw("LampInstalled", b"[]")
    (await api_with_events.get("/lamps/l-1?as_of=2")).refused(503, "event 1 of lamp-l-1")


async def test_a_state_that_rests_on_a_damaged_event_is_refused(api_with_events: Client, stream: Stream) -> None:
    await stream.happened(INSTALLED)
    await stream.raw("LampSwitchedOn", b"[]")
    (await api_with_events.get("/lamps/l-1?as_of=1")).refused(500, "event 1 of lamp-l-1", "LampSwitchedOn")


async def test_a_moment_that_is_nonsense_is_400(api: Client) -> None:
    for moment in (
        "",
        "yesterday",
        "2026-03-14",
        "2026-03-14T12:00:00",
        "2026-03-14T25:00:00Z",
        "2026-02-30T12:00:00Z",
        "12:00:00Z",
        "-1",
        "1.5",
        "9" * 30,
    ):
        (await api.get(f"/lamps/l-1?as_of={moment}")).refused(400, "as_of")


async def test_an_aggregate_that_never_was(api_with_events: Client) -> None:
    for path in ("/lamps/l-2/history", "/lamps/l-2?as_of=0", "/lamps/l-2?as_of=2999-01-01T00:00:00Z"):
        (await api_with_events.get(path)).refused(404, "l-2")
    (await api_with_events.get("/lamps/..%20/history")).refused(400, "lamp_id")


async def test_without_an_event_store_history_is_503_and_views_are_served(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamp("l-1", 10)
    for path in ("/lamps/l-1/history", "/lamps/l-1?as_of=0"):
        reply = await api.get(path)
        reply.refused(503)
        assert reply.headers["retry-after"] == "1"
    assert (await api.get("/lamps/l-1")).status == 200

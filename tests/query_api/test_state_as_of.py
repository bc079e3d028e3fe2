"""The state of an aggregate as of a moment, where no view shows it; and where a view has taken its path."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.model.access import Access
from infrastructure.application import Application
from infrastructure.event_store import EventStore
from infrastructure.settings import Settings
from query_api.http.times import rfc3339
from read_models.model.parameter import Identifier, Parameter
from read_models.model.query import KeyQuery
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.decider import NOON
from tests.support.served import Client, served
from tests.support.stream import Stream
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY, TINY_CODEC
from tests.support.tiny.lamp import LampInstalled, LampSwitchedOn
from tests.support.tiny.parcel import ParcelDelivered, ParcelSent

SENT = ParcelSent("p-1", "ada", 500, NOON)
DELIVERED = ParcelDelivered("p-1", NOON, NOON)
STATE = {"parcel_id": "p-1", "recipient": "ada", "sent_at": "2026-03-14T12:00:00Z", "delivered": False}


@pytest.fixture
def stream(events: EventStore) -> Stream:
    """The stream of parcel `p-1`."""
    return Stream(events, TINY_CODEC, "parcel-p-1")


async def test_the_state_as_of_each_version_with_its_etag(api_with_events: Client, stream: Stream) -> None:
    stored = [await stream.happened(event) for event in (SENT, DELIVERED)]
    for version, delivered in enumerate((False, True)):
        reply = await api_with_events.get(f"/parcels/p-1?as_of={version}")
        assert reply.json == STATE | {"delivered": delivered}
        assert reply.headers["etag"] == f'"{version}"'
        assert reply.headers["eventfold-position"] == str(stored[version].position)
        known = {"If-None-Match": f'"{version}"'}
        assert (await api_with_events.get(f"/parcels/p-1?as_of={version}", known)).status == 304
    (await api_with_events.get("/parcels/p-1?as_of=2")).refused(404, "there is no version 2 of parcel p-1")


async def test_the_state_as_of_a_time(api_with_events: Client, stream: Stream) -> None:
    sent, delivered = [await stream.happened(event) for event in (SENT, DELIVERED)]

    async def at(moment: int) -> Any:
        return await api_with_events.get(f"/parcels/p-1?as_of={rfc3339(moment)}")

    (await at(sent.recorded_at - 1)).refused(404, "there is no parcel p-1 at ")
    assert (await at(delivered.recorded_at - 1)).json["delivered"] is False
    assert (await at(delivered.recorded_at)).json["delivered"] is True


async def test_it_is_told_that_as_of_is_needed_and_what_else_is_wrong(api: Client) -> None:
    for query, said in (
        ("", "as_of is missing: a version number or a time such as 2026-01-31T15:00:00Z"),
        ("?as_of=yesterday", "as_of must be a version number or a time"),
        ("?as_of=1&at_least=1", "'at_least'; allowed here: as_of"),
    ):
        (await api.get(f"/parcels/p-1{query}")).refused(400, said)
    (await api.get("/parcels/-?as_of=0")).refused(400, "parcel_id")
    (await api.get("/parcels/p-1?as_of=0")).refused(503)


async def test_a_state_that_rests_on_an_unreadable_event_is_refused(api_with_events: Client, stream: Stream) -> None:
    await stream.happened(SENT)
    await stream.raw("ParcelLost", b"{}")
    assert (await api_with_events.get("/parcels/p-1?as_of=0")).status == 200
    (await api_with_events.get("/parcels/p-1?as_of=1")).refused(503, "event 1 of parcel-p-1", "ParcelLost")


async def test_its_history_is_there_too(api_with_events: Client, stream: Stream) -> None:
    await stream.happened(SENT)
    history = (await api_with_events.get("/parcels/p-1/history")).json
    assert (history["stream"], [one["type"] for one in history["items"]]) == ("parcel-p-1", ["ParcelSent"])
    (await api_with_events.get("/parcels/p-1/history?from=1")).refused(404, "event 1 of parcel p-1")
    (await api_with_events.get("/parcels/p-2/history")).refused(404, "there is no parcel p-2")


async def test_a_query_on_its_path_that_does_not_name_it_answers_as_of_with_the_state(
    settings: Settings, event_store_uri: str, events: EventStore, shelf: TinyShelf
) -> None:
    """A view of many streams can't be folded as of a moment from one of them."""
    query = KeyQuery(
        path="/lamps/{id}",
        operation="GetLamp",
        access=Access("lamps:read", owner="room"),
        summary="",
        key=Parameter("id", Identifier()),
        noun="lamp",
    )
    views = (replace(LAMP_DETAILS, queries=(query,)), PARCEL_DAYS)
    lamp = Stream(events, TINY_CODEC, "lamp-l-1")
    for event in (LampInstalled("l-1", "hall", 40, NOON), LampSwitchedOn("l-1", NOON)):
        await lamp.happened(event)
    await shelf.lamp("l-1", 10)
    async with served(Application(TINY.aggregates, views), settings.changed(eventstore_uri=event_store_uri)) as api:
        assert (await api.get("/lamps/l-1")).json["installed_position"] == 10
        reply = await api.get("/lamps/l-1?as_of=1")
        assert reply.json == {"lamp_id": "l-1", "room": "hall", "watts": 40, "status": "on"}
        assert reply.headers["etag"] == '"1"'
        described = (await api.get("/schema/openapi.json")).json["paths"]["/lamps/{id}"]["get"]
        body = described["responses"]["200"]["content"]["application/json"]["schema"]
        assert {one["$ref"].rpartition("/")[2] for one in body["oneOf"]} == {"LampDetails", "Lamp"}

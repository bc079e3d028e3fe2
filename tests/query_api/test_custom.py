"""Queries that a function answers: what it is given, what it may read, and what comes of its answer."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from infrastructure.application import Application
from infrastructure.settings import Settings
from read_models.model.parameter import Date, Identifier, Parameter, WholeNumber
from read_models.model.query import CustomQuery, InvalidParameters
from read_models.model.reads import Reads
from tests.query_api.tiny_shelf import TinyShelf
from tests.support.served import Client, served
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY
from tests.support.tiny.lamp_details import LampDetails
from tests.support.tiny.parcel_days import ParcelDay


class Light(Struct):
    """How bright a room is."""

    room: str
    watts_on: int
    lamps: int
    main_lamp: str


async def light(reads: Reads, parameters: Mapping[str, Any]) -> Light | None:
    """The lamps of a room that are on, from some wattage."""
    lamps: list[LampDetails] = await reads.rows("installed_position", 1000, where={"room": parameters["room"]})
    if not lamps:
        return None
    bright = [lamp for lamp in lamps if lamp.status == "on" and lamp.watts >= parameters.get("from_watts", 0)]
    main: LampDetails | None = await reads.document(f"{parameters['room']}-main")
    watts_on = sum(lamp.watts for lamp in bright)
    return Light(parameters["room"], watts_on, len(lamps), "none" if main is None else main.status)


class Growth(Struct):
    """How many more parcels were sent on a day than on another."""

    more: int


async def growth(reads: Reads, parameters: Mapping[str, Any]) -> Growth:
    """Compares two days."""
    if parameters["from"] >= parameters["to"]:
        raise InvalidParameters("to must be after from")
    days: list[ParcelDay] = await reads.rows("day", 2, first=parameters["from"], last=parameters["to"], descending=True)
    return Growth(days[0].sent - days[-1].sent if days else 0)


async def failing(reads: Reads, _parameters: Mapping[str, Any]) -> None:
    """Asks for more than a read gives."""
    await reads.rows("day", 1001)


LIGHT = CustomQuery(
    path="/rooms/{room}/light",
    operation="GetLight",
    access=Access("lamps:read", owner="room"),
    summary="How bright a room is",
    respond=light,
    answer=Light,
    noun="room",
    parameters=(Parameter("room", Identifier()), Parameter("from_watts", WholeNumber(1, 1000))),
)
GROWTH = CustomQuery(
    path="/parcel-growth",
    operation="GetGrowth",
    access=Access("parcel-days:read"),
    summary="How parcels grow",
    respond=growth,
    answer=Growth,
    parameters=(Parameter("from", Date(), required=True), Parameter("to", Date(), required=True)),
)
FAILING = CustomQuery(
    path="/failing",
    operation="Fail",
    access=Access("parcel-days:read"),
    summary="Fails",
    respond=failing,
    answer=Growth,
)
APPLICATION = Application(
    TINY.aggregates,
    (replace(LAMP_DETAILS, queries=(LIGHT,)), replace(PARCEL_DAYS, queries=(GROWTH, FAILING))),
)


@pytest.fixture
async def custom(settings: Settings) -> Any:
    async with served(APPLICATION, settings) as client:
        yield client


async def test_it_reads_the_views_documents_as_they_are_declared(custom: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(("a", 1), ("b", 2), status="on", watts=60)
    await shelf.lamps(("c", 3), watts=25, status="on")
    await shelf.lamps(("d", 4), room="bath", status="on")

    reply = await custom.get("/rooms/hall/light?from_watts=40")

    assert reply.json == {"room": "hall", "watts_on": 120, "lamps": 3, "main_lamp": "none"}
    assert reply.headers["etag"].startswith('W/"')
    again = await custom.get("/rooms/hall/light?from_watts=40", {"If-None-Match": reply.headers["etag"]})
    assert again.status == 304
    await shelf.lamp("hall-main", 5)
    everything = (await custom.get("/rooms/hall/light")).json
    assert everything == {"room": "hall", "watts_on": 145, "lamps": 4, "main_lamp": "off"}


async def test_none_is_404(custom: Client, shelf: TinyShelf) -> None:
    (await custom.get("/rooms/hall/light")).refused(404, "there is no room hall")


async def test_its_parameters_are_held_to_their_kinds(custom: Client, shelf: TinyShelf) -> None:
    for query, said in (
        ("from=2026-03-01", "to is missing: a date such as 2026-01-31"),
        ("from=2026-03-01&to=soon", "to must be a date"),
        ("from=2026-03-02&to=2026-03-01", "to must be after from"),
        ("from=2026-03-01&to=2026-03-02&limit=1", "'limit'"),
    ):
        (await custom.get(f"/parcel-growth?{query}")).refused(400, said)
    (await custom.get("/rooms/hall/light?from_watts=0")).refused(400, "from_watts must be a whole number from 1")
    (await custom.get("/rooms/-/light")).refused(400, "room")


async def test_it_reads_ranges(custom: Client, shelf: TinyShelf) -> None:
    for day in (1, 10, 31):
        await shelf.day(20260300 + day, day)
    assert (await custom.get("/parcel-growth?from=2026-03-01&to=2026-03-31")).json == {"more": 21}
    assert (await custom.get("/parcel-growth?from=2026-04-01&to=2026-04-30")).json == {"more": 0}


async def test_it_waits_for_at_least(custom: Client, shelf: TinyShelf) -> None:
    await shelf.checkpoint(LAMP_DETAILS, 10)
    await shelf.lamp("a", 10)
    assert (await custom.get("/rooms/hall/light?at_least=10")).status == 200
    (await custom.get("/rooms/hall/light?at_least=11")).refused(503, "lamp_details is at 10")


async def test_before_anything_is_projected_there_is_nothing_to_read(settings: Settings) -> None:
    async with served(APPLICATION, settings) as client:
        assert (await client.get("/parcel-growth?from=2026-03-01&to=2026-03-31")).json == {"more": 0}
        (await client.get("/rooms/hall/light")).refused(404)


async def test_a_function_that_fails_is_500_without_its_insides(custom: Client, shelf: TinyShelf) -> None:
    reply = await custom.get("/failing")
    reply.refused(500)
    assert b"1001" not in reply.body


async def test_openapi_describes_its_answer(custom: Client) -> None:
    document = (await custom.get("/schema/openapi.json")).json
    assert set(document["components"]["schemas"]["Light"]["properties"]) == {"room", "watts_on", "lamps", "main_lamp"}
    described = document["paths"]["/rooms/{room}/light"]["get"]
    assert [one["name"] for one in described["parameters"]] == [
        "room",
        "from_watts",
        "at_least",
        "If-None-Match",
    ]

"""Ranges: both ends included, in ascending order, of dates, times and numbers."""

import pytest
from msgspec.structs import replace

from infrastructure.application import Application
from query_api.http.route import Route
from read_models.model.parameter import Date, Identifier, Parameter, Time, WholeNumber
from read_models.model.query import RangeQuery
from tests.query_api.in_memory import ask, by_operation, routes_in_memory
from tests.query_api.tiny_shelf import TinyShelf
from tests.subscriptions.memory_read_store import MemoryReadStore
from tests.support.served import Client
from tests.support.shelf import NOW, NOW_TEXT
from tests.support.tiny import LAMP_DETAILS, PARCEL_DAYS, TINY


async def test_both_ends_are_included(api: Client, shelf: TinyShelf) -> None:
    for position, day in enumerate((20260228, 20260301, 20260303, 20260331, 20260401)):
        await shelf.day(day, position)

    reply = await api.get("/parcel-days?from=2026-03-01&to=2026-03-31")

    rest = {"delivered": 1, "updated_at": NOW_TEXT}
    assert reply.json == {
        "items": [
            {"day": "2026-03-01", "sent": 1, "grams": 20260301} | rest,
            {"day": "2026-03-03", "sent": 3, "grams": 20260303} | rest,
            {"day": "2026-03-31", "sent": 31, "grams": 20260331} | rest,
        ]
    }
    again = await api.get("/parcel-days?from=2026-03-01&to=2026-03-31", {"If-None-Match": reply.headers["etag"]})
    assert again.status == 304
    assert (await api.get("/parcel-days?from=2026-03-03&to=2026-03-03")).json["items"][0]["day"] == "2026-03-03"


async def test_an_empty_range_and_the_longest_one(api: Client) -> None:
    assert (await api.get("/parcel-days?from=2026-03-01&to=2026-03-01")).json == {"items": []}
    assert (await api.get("/parcel-days?from=2024-01-01&to=2024-12-31")).status == 200
    assert (await api.get("/parcel-days?from=9999-12-30&to=9999-12-31")).status == 200


async def test_a_wrong_range_is_400(api: Client) -> None:
    for query, said in (
        ("", "from is missing: a date such as 2026-01-31"),
        ("from=2026-01-01", "to is missing"),
        ("from=2026-01-02&to=2026-01-01", "from (2026-01-02) is after to (2026-01-01)"),
        ("from=2025-01-01&to=2026-01-02", "from and to span 367 days; at most 366 are answered at once"),
        ("from=2026-02-30&to=2026-03-01", "from must be a date"),
        ("from=20260101&to=2026-01-02", "from must be a date"),
        ("from=2026-01-01&to=2026-01-02&day=1", "'day'"),
        ("from=2026-01-01&to=2026-01-02&at_least=x", "at_least"),
    ):
        (await api.get(f"/parcel-days?{query}")).refused(400, said)


class InMemory:
    """Ranges over the tiny views' other fields."""

    def __init__(self) -> None:
        self.store = MemoryReadStore()
        self.shelf = TinyShelf(self.store)

    async def route(self, query: RangeQuery, *indexes: tuple[str, ...]) -> Route:
        await self.shelf.prepare()
        lamps = replace(LAMP_DETAILS, queries=(query,), indexes=indexes)
        application = Application(TINY.aggregates, (lamps, PARCEL_DAYS))
        return by_operation(routes_in_memory(application, self.store))["Q"]


@pytest.fixture
async def memory() -> InMemory:
    return InMemory()


async def test_a_range_of_times(memory: InMemory) -> None:
    query = RangeQuery(
        path="/x",
        operation="Q",
        summary="",
        field="installed_at",
        first=Parameter("since", Time()),
        last=Parameter("until", Time()),
        greatest_span=60_000,
        greatest_rows=2,
    )
    route = await memory.route(query, ("installed_at",))
    for number in range(3):
        await memory.shelf.lamp(f"l-{number}", number, installed_at=NOW + number)

    async def ids(since: str, until: str) -> list[str]:
        status, body = await ask(route, f"since={since}&until={until}")
        assert status == 200, body
        return [row["lamp_id"] for row in body["items"]]

    assert await ids("2026-03-14T12:00:00.123Z", "2026-03-14T12:00:00.124Z") == ["l-0", "l-1"]
    assert await ids("2026-03-14T14:00:00.125%2B02:00", "2026-03-14T12:00:01Z") == ["l-2"]
    status, body = await ask(route, "since=2026-03-14T12:00:00Z&until=2026-03-14T12:00:01Z")
    assert (status, body["detail"]) == (400, "the range holds more than 2 rows; ask for a shorter one")
    status, body = await ask(route, "since=2026-03-14T12:00:00Z&until=2026-03-14T12:01:00Z")
    assert body["detail"] == "since and until span 60001 milliseconds; at most 60000 are answered at once"
    status, body = await ask(route, "since=2026-03-14&until=2026-03-14T12:01:00Z")
    assert body["detail"] == "since must be a time such as 2026-01-31T15:00:00Z, not '2026-03-14'"
    status, body = await ask(route, "until=2026-03-14T12:01:00Z")
    assert body["detail"] == "since is missing: a time such as 2026-01-31T15:00:00Z"


async def test_a_range_of_numbers_with_filters(memory: InMemory) -> None:
    query = RangeQuery(
        path="/rooms/{room}/x",
        operation="Q",
        summary="",
        field="watts",
        first=Parameter("lowest", WholeNumber(1, 100)),
        last=Parameter("highest", WholeNumber(1, 100)),
        greatest_span=50,
        greatest_rows=100,
        filters=(Parameter("room", Identifier()),),
    )
    route = await memory.route(query, ("room", "watts"))
    for number, room in enumerate(("hall", "bath", "hall"), start=10):
        await memory.shelf.lamp(f"l-{number}", number, watts=number, room=room)
    status, body = await ask(route, "lowest=1&highest=50", room="hall")
    assert [row["lamp_id"] for row in body["items"]] == ["l-10", "l-12"]
    status, body = await ask(route, "lowest=1&highest=51", room="hall")
    assert (status, body["detail"]) == (400, "lowest and highest span 51 numbers; at most 50 are answered at once")
    status, body = await ask(route, "lowest=0&highest=50", room="hall")
    assert (status, body["detail"]) == (400, "lowest must be a whole number from 1 to 100, not '0'")
    assert (await ask(route, "lowest=1&highest=50", room="-"))[0] == 400


async def test_dates_that_span_a_year_are_counted_as_days(memory: InMemory) -> None:
    query = RangeQuery(
        path="/x",
        operation="Q",
        summary="",
        field="version",
        first=Parameter("from", Date()),
        last=Parameter("to", Date()),
        greatest_span=2,
        greatest_rows=2,
    )
    route = await memory.route(query, ("version",))
    assert (await ask(route, "from=2025-12-31&to=2026-01-01"))[0] == 200
    assert (await ask(route, "from=2025-12-30&to=2026-01-01"))[0] == 400

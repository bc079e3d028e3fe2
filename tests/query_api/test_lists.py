"""Lists: filters, order, pages, and that pages neither repeat nor miss a row while more arrive."""

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.query_api.tiny_shelf import TinyShelf
from tests.support.served import Client
from tests.support.shelf import NOW_TEXT
from tests.support.tiny import LAMP_DETAILS


def ids(page: Any) -> list[str]:
    return [item["lamp_id"] for item in page["items"]]


async def test_rows_come_newest_first_by_filters_in_the_query_and_in_the_path(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(("a", 10), ("c", 30), ("b", 20))
    await shelf.lamps(("d", 40), room="bath")
    await shelf.lamps(("e", 50), status="on")
    await shelf.checkpoint(LAMP_DETAILS, 60)

    assert ids((await api.get("/lamps")).json) == ["e", "d", "c", "b", "a"]
    assert ids((await api.get("/lamps?status=on")).json) == ["e"]
    assert ids((await api.get("/lamps?room=bath")).json) == ["d"]
    assert ids((await api.get("/lamps?room=hall&status=off&limit=2")).json) == ["c", "b"]
    assert ids((await api.get("/rooms/hall/lamps")).json) == ["e", "c", "b", "a"]
    assert ids((await api.get("/rooms/hall/lamps?status=on")).json) == ["e"]
    assert (await api.get("/rooms/nowhere/lamps")).json == {"items": []}


async def test_a_row_is_shown_whole_and_without_the_stores_fields(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(("a", 10))
    await shelf.checkpoint(LAMP_DETAILS, 15)

    reply = await api.get("/lamps")

    assert reply.headers["eventfold-position"] == "15"
    assert reply.json == {
        "items": [
            {
                "lamp_id": "a",
                "room": "hall",
                "watts": 40,
                "status": "off",
                "installed_at": NOW_TEXT,
                "updated_at": NOW_TEXT,
                "version": 0,
                "installed_position": 10,
            }
        ]
    }


async def test_a_list_that_has_not_changed_is_304(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(("a", 10))
    await shelf.checkpoint(LAMP_DETAILS, 10)
    first = await api.get("/lamps")
    assert first.headers["etag"].startswith('W/"')

    assert (await api.get("/lamps", {"If-None-Match": first.headers["etag"]})).status == 304
    await shelf.lamps(("b", 20))
    await shelf.checkpoint(LAMP_DETAILS, 20)
    assert (await api.get("/lamps", {"If-None-Match": first.headers["etag"]})).status == 200


async def test_a_row_beyond_the_checkpoint_waits_for_those_before_it(api: Client, shelf: TinyShelf) -> None:
    assert (await api.get("/lamps")).json == {"items": []}
    await shelf.lamps(("a", 10), ("c", 30))
    assert (await api.get("/lamps")).json == {"items": []}
    await shelf.checkpoint(LAMP_DETAILS, 10)
    assert ids((await api.get("/lamps")).json) == ["a"]
    await shelf.lamps(("b", 20))
    await shelf.checkpoint(LAMP_DETAILS, 30)
    assert ids((await api.get("/lamps")).json) == ["c", "b", "a"]


async def test_the_last_page_has_no_next(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(*((f"l-{number}", number) for number in range(1, 7)))
    await shelf.checkpoint(LAMP_DETAILS, 10)

    first = (await api.get("/lamps?limit=3")).json
    last = (await api.get(f"/lamps?limit=3&cursor={first['next']}")).json

    assert ids(first) + ids(last) == ["l-6", "l-5", "l-4", "l-3", "l-2", "l-1"]
    assert "next" not in last


async def test_the_default_and_the_largest_page(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(*((f"l-{number}", number) for number in range(1, 251)))
    await shelf.checkpoint(LAMP_DETAILS, 250)
    assert len((await api.get("/lamps")).json["items"]) == 50
    assert len((await api.get("/lamps?limit=200")).json["items"]) == 200


async def test_a_wrong_parameter_is_400_and_named(api: Client) -> None:
    for query, said in (
        ("limit=0", "1 to 200"),
        ("limit=201", "1 to 200"),
        ("limit=-1", "1 to 200"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1e2", "limit"),
        ("limit=%D9%A1", "limit"),
        ("status=open", "off, on"),
        ("status=", "status"),
        ("status=Off", "status"),
        ("room=..%2f", "room"),
        ("room=", "room"),
        ("sort=total", "'sort'"),
        ("at_least=soon", "at_least"),
        ("cursor=", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("cursor=%21%21", "cursor"),
        ("cursor=" + "A" * 16, "cursor"),
        ("cursor=" + "A" * 500, "cursor"),
        ("cursor=%C3%A9", "cursor"),
    ):
        (await api.get(f"/lamps?{query}")).refused(400, said)


async def test_a_filter_in_the_path_stands_there_alone(api: Client) -> None:
    (await api.get("/rooms/hall/lamps?room=bath")).refused(400, "'room'")
    (await api.get("/rooms/..%20/lamps")).refused(400, "room")


async def test_a_cursor_fits_its_own_list_only(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamps(*((f"l-{number}", number) for number in range(1, 5)))
    await shelf.checkpoint(LAMP_DETAILS, 10)
    cursor = (await api.get("/lamps?status=off&limit=1")).json["next"]
    assert (await api.get(f"/lamps?status=off&limit=3&cursor={cursor}")).status == 200
    (await api.get(f"/lamps?status=on&cursor={cursor}")).refused(400, "cursor")
    (await api.get(f"/lamps?cursor={cursor}")).refused(400, "cursor")


STEPS = st.lists(st.one_of(st.just("turn"), st.integers(1, 7)), min_size=1, max_size=8)


class Log:
    """Positions that rise over the whole test."""

    positions = itertools.count(1)
    rooms = itertools.count(1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.integers(0, 20), steps=STEPS, limit=st.integers(1, 9))
async def test_pages_neither_repeat_nor_miss_a_row_while_rows_arrive(
    api: Client, shelf: TinyShelf, before: int, steps: list[Any], limit: int
) -> None:
    room = f"room-{next(Log.rooms)}"
    path = f"/rooms/{room}/lamps?limit={limit}"

    async def arrive(count: int) -> list[str]:
        batch = [(f"l-{position}", position) for position in itertools.islice(Log.positions, count)]
        if batch:
            await shelf.lamps(*reversed(batch), room=room)
            await shelf.checkpoint(LAMP_DETAILS, batch[-1][1])
        return [lamp_id for lamp_id, _ in reversed(batch)]

    expected = await arrive(before)
    page = (await api.get(path)).json
    seen = ids(page)
    for step in steps:
        if step == "turn" and "next" in page:
            page = (await api.get(f"{path}&cursor={page['next']}")).json
            seen += ids(page)
        elif step != "turn":
            await arrive(step)
    while "next" in page:
        page = (await api.get(f"{path}&cursor={page['next']}")).json
        seen += ids(page)
    assert seen == expected

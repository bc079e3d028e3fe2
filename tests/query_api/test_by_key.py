"""One document by its key: how it is shown, its ETag, and what is refused."""

import asyncio

from tests.query_api.tiny_shelf import TinyShelf
from tests.support.served import Client
from tests.support.shelf import NOW, NOW_TEXT
from tests.support.tiny import LAMP_DETAILS


async def test_it_is_shown_with_times_as_text_and_nothing_of_the_store(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamp("l-1", 700, status="on", version=1, switched_on_at=NOW + 877, installed_position=42)

    reply = await api.get("/lamps/l-1")

    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["etag"] == '"1"'
    assert reply.headers["eventfold-position"] == "700"
    assert reply.json == {
        "lamp_id": "l-1",
        "room": "hall",
        "watts": 40,
        "status": "on",
        "installed_at": NOW_TEXT,
        "updated_at": NOW_TEXT,
        "version": 1,
        "installed_position": 42,
        "switched_on_at": "2026-03-14T12:00:01.000Z",
    }


async def test_without_a_version_the_etag_is_made_of_the_content(api: Client, shelf: TinyShelf) -> None:
    await shelf.day(20260314, 77)

    reply = await api.get("/parcel-days/2026-03-14")

    assert reply.json == {"day": "2026-03-14", "sent": 14, "delivered": 1, "grams": 20260314, "updated_at": NOW_TEXT}
    assert reply.headers["eventfold-position"] == "77"
    assert reply.headers["etag"].startswith('W/"')
    known = {"If-None-Match": reply.headers["etag"]}
    assert (await api.get("/parcel-days/2026-03-14", known)).status == 304
    await shelf.day(20260315, 78)
    assert (await api.get("/parcel-days/2026-03-15", known)).status == 200


async def test_numbers_beyond_32_bits_are_numbers_too(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamp("l-1", 2**40, watts=2**53, version=2**31)
    await shelf.checkpoint(LAMP_DETAILS, 2**62)

    lamp = await api.get("/lamps/l-1")
    assert (lamp.json["watts"], lamp.json["version"]) == (2**53, 2**31)
    assert lamp.headers["etag"] == f'"{2**31}"'
    assert (await api.get("/lamps")).json["items"][0]["installed_position"] == 2**40


async def test_a_client_that_has_the_version_gets_304_and_another_the_document(api: Client, shelf: TinyShelf) -> None:
    await shelf.lamp("l-1", 700)

    for known in ('"0"', 'W/"0"', '"7", "0"', '"7",W/"0"', "*"):
        reply = await api.get("/lamps/l-1", {"If-None-Match": known})
        assert (reply.status, reply.body) == (304, b""), known
        assert reply.headers["etag"] == '"0"'
        assert reply.headers["eventfold-position"] == "700"
        assert "content-length" not in reply.headers
    for known in ('"1"', "0", '"00"', ""):
        assert (await api.get("/lamps/l-1", {"If-None-Match": known})).status == 200, known


async def test_an_unknown_key_is_404(api: Client) -> None:
    (await api.get("/lamps/l-1")).refused(404, "there is no lamp l-1")


async def test_a_key_of_another_kind_is_held_to_it(api: Client) -> None:
    (await api.get("/parcel-days/2026-03-14")).refused(404, "there is no parcel day 2026-03-14")
    for key in ("20260314", "2026-3-14", "2026-02-30", "today", "l-1"):
        (await api.get(f"/parcel-days/{key}")).refused(400, "day must be a date such as 2026-01-31")


async def test_a_deleted_document_is_404(api: Client, shelf: TinyShelf) -> None:
    await shelf.deleted(LAMP_DETAILS, "l-1", 700)
    (await api.get("/lamps/l-1")).refused(404)
    (await api.get("/lamps/l-1?at_least=700")).refused(503)


TRICKS = [
    "%00",
    "..",
    "%2e%2e",
    "-a",
    "a%20b",
    "a%0ab",
    "%ff",
    "a" * 65,
    "%c3%a9",
    "a;b",
    "$where",
    "%7b%22$ne%22:1%7d",
]


async def test_an_id_with_tricks_is_400_and_a_path_that_leads_elsewhere_is_404(api: Client) -> None:
    for lamp_id in TRICKS:
        (await api.get(f"/lamps/{lamp_id}")).refused(400, "lamp_id")
    for path in ("/lamps/a%2f..%2fb", "/lamps/..%2f..%2fetc/passwd", "/lamps/a/b/c", "/../lamps"):
        reply = await api.get(path)
        assert reply.status == 404, path
        assert reply.headers["content-type"] == "application/problem+json"


async def test_an_unknown_or_repeated_parameter_is_400(api: Client) -> None:
    for query, said in (
        ("expand=1", "'expand'"),
        ("limit=1&x=2", "'limit', 'x'"),
        ("at_least=1&at_least=2", "more than once"),
        ("%ff=1", "query string"),
        ("&".join(f"a{n}=1" for n in range(30)), "query string"),
        ("at_least=1&as_of=1", "at_least can't be combined"),
    ):
        (await api.get(f"/lamps/l-1?{query}")).refused(400, said)


async def test_bytes_that_are_no_path_never_fail_inside(api: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /lamps/\xff\xfe?\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    status = int((await reader.read()).split()[1])
    writer.close()
    assert status in (400, 404)


async def test_another_method_is_405(api: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"POST /lamps/l-1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 405 ")
    writer.close()


async def test_documents_read_at_the_same_moment_are_each_their_own(api: Client, shelf: TinyShelf) -> None:
    for number in range(30):
        await shelf.lamp(f"l-{number}", 10 + number, watts=number)
    wanted = [number % 40 for number in range(200)]

    replies = await asyncio.gather(*(api.get(f"/lamps/l-{number}") for number in wanted))

    for number, reply in zip(wanted, replies, strict=True):
        if number < 30:
            assert (reply.json["lamp_id"], reply.json["watts"]) == (f"l-{number}", number)
            assert reply.json["installed_at"] == NOW_TEXT
        else:
            reply.refused(404)

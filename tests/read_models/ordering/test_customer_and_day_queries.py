"""A customer's summary and the daily sales."""

from tests.read_models.ordering.order_shelf import OrderShelf
from tests.support.served import Client
from tests.support.shelf import NOW_TEXT


async def test_a_customer_in_figures(api: Client, shelf: OrderShelf) -> None:
    await shelf.customer("ada", 77)

    reply = await api.get("/customers/ada")

    assert reply.headers["eventfold-position"] == "77"
    assert reply.json == {
        "customer_id": "ada",
        "orders": 3,
        "cancelled": 1,
        "spend": {"USD": 1900, "JPY": 0},
        "last_order_id": "o-3",
        "last_ordered_at": NOW_TEXT,
        "updated_at": NOW_TEXT,
    }
    assert (await api.get("/customers/ada", {"If-None-Match": reply.headers["etag"]})).status == 304


async def test_a_customer_that_is_unknown_or_impossible(api: Client) -> None:
    (await api.get("/customers/ada")).refused(404, "customer ada")
    (await api.get("/customers/%2e%2e")).refused(400, "customer_id")
    (await api.get("/customers/ada?limit=1")).refused(400, "'limit'")


async def test_days_of_a_range_both_ends_included(api: Client, shelf: OrderShelf) -> None:
    for position, day in enumerate((20260228, 20260301, 20260303, 20260331, 20260401)):
        await shelf.day(day, position)

    reply = await api.get("/daily-sales?from=2026-03-01&to=2026-03-31")

    assert reply.json == {
        "items": [
            {"day": "2026-03-01", "orders": 1, "cancelled": 1, "revenue": {"USD": 20260301}},
            {"day": "2026-03-03", "orders": 3, "cancelled": 1, "revenue": {"USD": 20260303}},
            {"day": "2026-03-31", "orders": 31, "cancelled": 1, "revenue": {"USD": 20260331}},
        ]
    }
    again = await api.get("/daily-sales?from=2026-03-01&to=2026-03-31", {"If-None-Match": reply.headers["etag"]})
    assert again.status == 304
    assert (await api.get("/daily-sales?from=2026-03-03&to=2026-03-03")).json["items"][0]["day"] == "2026-03-03"


async def test_a_range_without_orders_and_the_longest_range(api: Client) -> None:
    assert (await api.get("/daily-sales?from=2026-03-01&to=2026-03-01")).json == {"items": []}
    assert (await api.get("/daily-sales?from=2024-01-01&to=2024-12-31")).status == 200
    assert (await api.get("/daily-sales?from=9999-12-30&to=9999-12-31")).status == 200


async def test_a_wrong_range_is_400(api: Client) -> None:
    for query, said in (
        ("", "from is missing"),
        ("from=2026-01-01", "to is missing"),
        ("to=2026-01-01", "from is missing"),
        ("from=2026-01-02&to=2026-01-01", "is after"),
        ("from=2025-01-01&to=2026-01-02", "span 367 days; at most 366"),
        ("from=2026-02-30&to=2026-03-01", "from must be a date"),
        ("from=20260101&to=2026-01-02", "from must be a date"),
        ("from=2026-W01-1&to=2026-01-02", "from must be a date"),
        ("from=2026-1-1&to=2026-01-02", "from must be a date"),
        ("from=0000-01-01&to=2026-01-02", "from must be a date"),
        ("from=yesterday&to=2026-01-02", "from must be a date"),
        ("from=2026-01-01&to=2026-01-02&day=1", "'day'"),
        ("from=2026-01-01&to=2026-01-02&at_least=x", "at_least"),
    ):
        (await api.get(f"/daily-sales?{query}")).refused(400, said)

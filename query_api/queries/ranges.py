"""Orders, cancellations and revenue, day by day."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from litestar.types import Scope
from msgspec import Struct

from infrastructure.read_store import Comparison, Page
from query_api.answers import Answer, weak
from query_api.parameters import AT_LEAST, Parameter, at_least, malformed
from query_api.route import Route
from query_api.sources import Sources
from read_models.ordering.daily_sales import DAILY_SALES, day_number

MAX_DAYS = 366


class DayFigures(Struct):
    """One business day (UTC). `revenue` is in minor units by currency, cancelled orders left out."""

    day: date
    orders: int
    cancelled: int
    revenue: dict[str, int]


class SalesByDay(Struct):
    """The days of the range that have orders, in ascending order."""

    items: list[DayFigures]


async def list_daily_sales(sources: Sources, scope: Scope, query: dict[str, str]) -> Answer:
    """The figures of a range of days."""
    first, last = _range(query)
    live = await sources.live(DAILY_SALES, at_least(query))
    if live is None:
        return weak(scope, {"items": []})
    where = {"day": Comparison(at_least=day_number(first), at_most=day_number(last))}
    days = await live.rows(Page(where, by="day", limit=MAX_DAYS))
    return weak(scope, {"items": [_show(day) for day in days]})


def _range(query: Mapping[str, str]) -> tuple[date, date]:
    first, last = _day(query, "from"), _day(query, "to")
    if first > last:
        raise malformed(f"from ({first}) is after to ({last})")
    if last - first >= timedelta(days=MAX_DAYS):
        raise malformed(f"from and to span {(last - first).days + 1} days; at most {MAX_DAYS} are answered at once")
    return first, last


def _day(query: Mapping[str, str], name: str) -> date:
    value = query.get(name)
    if value is None:
        raise malformed(f"{name} is missing: a date such as 2026-01-31")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = None
    # fromisoformat takes other forms of ISO 8601 too, such as 20260131.
    if day is None or day.isoformat() != value:
        raise malformed(f"{name} must be a date such as 2026-01-31, not {value[:50]!r}")
    return day


def _show(fields: dict[str, Any]) -> dict[str, Any]:
    number = fields["day"]
    fields["day"] = f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}"
    return fields


_DATE = {"type": "string", "format": "date"}

DAILY_SALES_ROUTE = Route(
    path="/daily-sales",
    name="ListDailySales",
    summary="Orders, cancellations and revenue by business day",
    respond=list_daily_sales,
    answer=SalesByDay,
    description=f"Days without orders are left out; at most {MAX_DAYS} days per request.",
    parameters=(
        Parameter("from", "First day", _DATE, required=True),
        Parameter("to", "Last day, included", _DATE, required=True),
        AT_LEAST,
    ),
)

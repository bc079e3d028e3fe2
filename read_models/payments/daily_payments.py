"""What was charged, given back and declined, by day and currency.

A refund stands in the figures of the day on which its charge was made, as a cancelled order leaves the sales of its own
day: a day's charges less its refunds are what is kept of that day. Days are those of the UTC date.
"""

from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.currencies import CURRENCIES
from domain.model.recorded_event import RecordedEvent
from domain.payments.events import PaymentCharged, PaymentDeclined, PaymentRefunded
from read_models.model.parameter import Date, OneOf, Parameter
from read_models.model.public_fields import PublicFields
from read_models.model.query import RangeQuery
from read_models.model.view import View

MAX_DAYS = 366
MAX_ROWS = 1000

DailyPaymentEvent = PaymentCharged | PaymentDeclined | PaymentRefunded


class DailyPayments(Struct, frozen=True, gc=False):
    """One currency on one day: counts, and amounts in minor units. `day` is the date as the integer yyyymmdd."""

    day: int
    currency: str
    charges: int = 0
    charged: int = 0
    refunds: int = 0
    refunded: int = 0
    declines: int = 0
    declined: int = 0


def keys(event: DailyPaymentEvent) -> tuple[str, ...]:
    """The document of the day of the charge, or of the decline, in that currency."""
    return (f"{_day(event).date().isoformat()}:{event.currency}",)


def _day(event: DailyPaymentEvent) -> datetime:
    at = event.declined_at if isinstance(event, PaymentDeclined) else event.charged_at
    return at.astimezone(UTC)


def fold(figures: DailyPayments | None, recorded: RecordedEvent[DailyPaymentEvent]) -> DailyPayments:
    """The day's figures after the event."""
    event = recorded.event
    if figures is None:
        if isinstance(event, PaymentRefunded):
            raise ValueError(f"the payment for order {event.order_id} is given back on a day that has no charge")
        day = _day(event)
        figures = DailyPayments(day.year * 10_000 + day.month * 100 + day.day, event.currency)
    match event:
        case PaymentCharged():
            return replace(figures, charges=figures.charges + 1, charged=figures.charged + event.amount)
        case PaymentRefunded():
            return replace(figures, refunds=figures.refunds + 1, refunded=figures.refunded + event.amount)
        case PaymentDeclined():
            return replace(figures, declines=figures.declines + 1, declined=figures.declined + event.amount)


DAILY_PAYMENTS = View(
    name="daily_payments",
    version=1,
    document=DailyPayments,
    events=frozenset({PaymentCharged, PaymentDeclined, PaymentRefunded}),
    keys=keys,
    fold=fold,
    indexes=(("day",), ("currency", "day")),
    queries=(
        RangeQuery(
            path="/daily-payments",
            operation="ListDailyPayments",
            access=Access("daily-payments:read"),
            summary="What was charged, given back and declined, by day and currency",
            description=(
                f"Days without payments are left out; at most {MAX_DAYS} days and {MAX_ROWS} rows per request. "
                "A refund stands on the day of its charge."
            ),
            field="day",
            first=Parameter("from", Date(), "First day"),
            last=Parameter("to", Date(), "Last day, included"),
            filters=(Parameter("currency", OneOf(tuple(sorted(CURRENCIES))), "Only this currency"),),
            greatest_span=MAX_DAYS,
            greatest_rows=MAX_ROWS,
        ),
    ),
    public=PublicFields(dates=("day",)),
)

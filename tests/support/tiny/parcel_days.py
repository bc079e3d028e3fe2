"""The parcels of each day (the UTC date on which they were sent): a document is made of many streams."""

from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from domain.model.access import Access
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Date, Parameter
from read_models.model.public_fields import PublicFields
from read_models.model.query import KeyQuery, RangeQuery
from read_models.model.view import View, millis
from tests.support.tiny.parcel import ParcelDelivered, ParcelEvent, ParcelSent


class ParcelDay(Struct, frozen=True):
    """`day` is the date as the integer yyyymmdd; the document's key is the same date as text, such as 2026-03-14."""

    day: int
    sent: int
    delivered: int
    grams: int
    updated_at: int


def keys(event: ParcelEvent) -> tuple[str, ...]:
    """The document of the day on which the parcel was sent."""
    return (event.sent_at.astimezone(UTC).date().isoformat(),)


def fold(day: ParcelDay | None, recorded: RecordedEvent[ParcelEvent]) -> ParcelDay:
    """The day's figures after the event."""
    event = recorded.event
    if isinstance(event, ParcelSent):
        at = millis(event.sent_at)
        if day is None:
            return ParcelDay(_day_number(event.sent_at), 1, 0, event.grams, at)
        return replace(day, sent=day.sent + 1, grams=day.grams + event.grams, updated_at=at)
    if day is None:
        raise ValueError(f"parcel {event.parcel_id} is delivered, but none was sent that day")
    return replace(day, delivered=day.delivered + 1, updated_at=millis(event.delivered_at))


def _day_number(moment: datetime) -> int:
    date = moment.astimezone(UTC)
    return date.year * 10_000 + date.month * 100 + date.day


PARCEL_DAYS = View(
    name="parcel_days",
    version=1,
    document=ParcelDay,
    events=frozenset({ParcelSent, ParcelDelivered}),
    keys=keys,
    fold=fold,
    indexes=(("day",),),
    queries=(
        KeyQuery(
            path="/parcel-days/{day}",
            operation="GetParcelDay",
            access=Access("parcel-days:read"),
            summary="The parcels of a day in figures",
            key=Parameter("day", Date()),
            noun="parcel day",
        ),
        RangeQuery(
            path="/parcel-days",
            operation="ListParcelDays",
            access=Access("parcel-days:read"),
            summary="The parcels of each day of a range in figures",
            field="day",
            first=Parameter("from", Date(), "First day"),
            last=Parameter("to", Date(), "Last day, included"),
            greatest_span=366,
            greatest_rows=366,
        ),
    ),
    public=PublicFields(dates=("day",)),
)

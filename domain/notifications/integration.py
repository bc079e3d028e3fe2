"""What notifications publishes. Times are aware and in UTC."""

from datetime import UTC, datetime

from msgspec import Struct

from domain.model.publication import IntegrationEvent, Publication
from domain.notifications import events


class CustomerNotified(Struct, frozen=True, gc=False):
    """The customer of an order was told something; `kind` says what."""

    order_id: str
    kind: str
    sent_at: datetime


def _notified(event: events.NotificationSent) -> CustomerNotified:
    return CustomerNotified(event.order_id, event.kind, event.sent_at)


PUBLISHED_BY_NOTIFICATIONS = Publication(
    context="notifications",
    events=(IntegrationEvent("customer-notified", 1, CustomerNotified),),
    mapping={events.NotificationSent: (_notified,)},
    subject=lambda event: event.order_id,
    examples=(
        events.NotificationSent(
            "1042", "order-shipped", "<1042@shop.example>", 1, datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
        ),
    ),
)

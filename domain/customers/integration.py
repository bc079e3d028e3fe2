"""What customers publishes: that somebody is a customer, never who it is. Times are aware and in UTC."""

from datetime import UTC, datetime

from msgspec import Struct

from domain.customers import events
from domain.model.publication import IntegrationEvent, Publication


class CustomerRegistered(Struct, frozen=True, gc=False):
    """A customer is known, or known again."""

    customer_id: str
    registered_at: datetime


class CustomerForgotten(Struct, frozen=True, gc=False):
    """The customer is to be forgotten, wherever anything is known of them."""

    customer_id: str
    forgotten_at: datetime


def _registered(event: events.CustomerRegistered) -> CustomerRegistered:
    return CustomerRegistered(event.customer_id, event.registered_at)


def _forgotten(event: events.CustomerForgotten) -> CustomerForgotten:
    return CustomerForgotten(event.customer_id, event.forgotten_at)


_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

PUBLISHED_BY_CUSTOMERS = Publication(
    context="customers",
    events=(
        IntegrationEvent("customer-registered", 1, CustomerRegistered),
        IntegrationEvent("customer-forgotten", 1, CustomerForgotten),
    ),
    mapping={events.CustomerRegistered: (_registered,), events.CustomerForgotten: (_forgotten,)},
    subject=lambda event: event.customer_id,
    examples=(
        events.CustomerRegistered("ada", "Ada Lovelace", "ada@example.org", None, _AT),
        events.CustomerForgotten("ada", _AT),
    ),
)

"""Customers as they are registered. What is personal is gone from a document with the event that forgets the customer.

Whether the earlier events can still be read by then makes no difference to the document after it.
"""

from msgspec import Struct
from msgspec.structs import replace

from domain.customers.customer import Status
from domain.customers.events import (
    Address,
    CustomerAddressChanged,
    CustomerEmailChanged,
    CustomerErased,
    CustomerEvent,
    CustomerForgotten,
    CustomerRegistered,
    CustomerRenamed,
)
from domain.model.access import Access
from domain.model.personal import REDACTED
from domain.model.recorded_event import RecordedEvent
from read_models.model.parameter import Identifier, OneOf, Parameter
from read_models.model.query import KeyQuery, ListQuery
from read_models.model.view import View, millis


class CustomerProfile(Struct, frozen=True, omit_defaults=True, gc=False):
    """`name` and `email` are "[redacted]" once the customer is forgotten. Times are epoch milliseconds; `version` is
    the stream's revision, `first_position` orders the list's pages."""

    customer_id: str
    status: str
    name: str
    email: str
    updated_at: int
    version: int
    first_position: int
    address: Address | None = None
    registered_at: int | None = None
    forgotten_at: int | None = None
    erased_at: int | None = None


def keys(event: CustomerEvent) -> tuple[str, ...]:
    """The customer's document."""
    return (event.customer_id,)


def fold(profile: CustomerProfile | None, recorded: RecordedEvent[CustomerEvent]) -> CustomerProfile:
    """The customer's document after the event."""
    event, revision = recorded.event, recorded.revision
    first = recorded.position if profile is None else profile.first_position
    match event:
        case CustomerRegistered(customer_id, name, email, address, registered_at):
            at = millis(registered_at)
            return CustomerProfile(
                customer_id, Status.REGISTERED, name, email, at, revision, first, address, registered_at=at
            )
        case CustomerForgotten(customer_id, forgotten_at):
            at = millis(forgotten_at)
            return CustomerProfile(
                customer_id, Status.FORGOTTEN, REDACTED, REDACTED, at, revision, first, forgotten_at=at
            )
    if profile is None:
        raise ValueError(f"{type(event).__name__} of {event.customer_id} stands before its CustomerRegistered")
    match event:
        case CustomerRenamed(_, name, changed_at):
            profile = replace(profile, name=name)
        case CustomerEmailChanged(_, email, changed_at):
            profile = replace(profile, email=email)
        case CustomerAddressChanged(_, address, changed_at):
            profile = replace(profile, address=address)
        case CustomerErased(_, changed_at):
            profile = replace(profile, status=Status.ERASED, erased_at=millis(changed_at))
    return replace(profile, updated_at=millis(changed_at), version=revision)


CUSTOMER_PROFILES = View(
    name="customer_profiles",
    version=1,
    document=CustomerProfile,
    events=frozenset(
        {
            CustomerRegistered,
            CustomerRenamed,
            CustomerEmailChanged,
            CustomerAddressChanged,
            CustomerForgotten,
            CustomerErased,
        }
    ),
    keys=keys,
    fold=fold,
    indexes=(("first_position",), ("status", "first_position")),
    per_stream=True,
    dropped_with="customer",
    begins_with=frozenset({CustomerRegistered, CustomerForgotten}),
    queries=(
        KeyQuery(
            path="/customers/{customer_id}/profile",
            operation="GetCustomerProfile",
            access=Access("profiles:read", owner="customer_id"),
            summary="Who a customer is, and where to be reached",
            description="The `ETag` is the one for `If-Match`. Of a forgotten customer, what is personal is redacted.",
            key=Parameter("customer_id", Identifier()),
            noun="customer",
            version_field="version",
            aggregate="customer",
        ),
        ListQuery(
            path="/customer-profiles",
            operation="ListCustomerProfiles",
            access=Access("profiles:read"),
            summary="Customers, the newest first",
            filters=(
                Parameter(
                    "status",
                    OneOf(tuple(status.value for status in Status)),
                    "forgotten: the key is still to be destroyed; erased: it was",
                ),
            ),
            sort="first_position",
        ),
    ),
)

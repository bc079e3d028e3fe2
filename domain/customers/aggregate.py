"""The customer as the other layers see it: its commands, its events and the versions of those."""

from domain.customers.commands import (
    ChangeAddress,
    ChangeEmail,
    ChangeName,
    ForgetCustomer,
    RecordErased,
    RegisterCustomer,
)
from domain.customers.customer import Customer, decide, evolve
from domain.customers.events import (
    CustomerAddressChanged,
    CustomerEmailChanged,
    CustomerErased,
    CustomerForgotten,
    CustomerRegistered,
    CustomerRenamed,
)
from domain.model.access import Access
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType

_CHANGE = Access("customers:change")

CUSTOMER = Aggregate(
    category="customer",
    plural="customers",
    state=Customer,
    commands=(
        CommandType(
            RegisterCustomer,
            "register",
            creates=True,
            summary="Register a customer, or one who comes back",
            access=Access("customers:register"),
        ),
        CommandType(ChangeName, "change-name", summary="Give a customer another name", access=_CHANGE),
        CommandType(ChangeEmail, "change-email", summary="Change a customer's mail address", access=_CHANGE),
        CommandType(ChangeAddress, "change-address", summary="Change a customer's postal address", access=_CHANGE),
        CommandType(
            ForgetCustomer,
            "forget",
            summary="Forget a customer: operators alone",
            may_create=True,
            access=Access("customers:forget", shared=True),
        ),
        CommandType(
            RecordErased,
            "record-erased",
            summary="Record that a forgotten customer's key was destroyed",
            access=Access("customers:record-erased"),
        ),
    ),
    events=(
        EventType("CustomerRegistered", 1, CustomerRegistered),
        EventType("CustomerRenamed", 1, CustomerRenamed),
        EventType("CustomerEmailChanged", 1, CustomerEmailChanged),
        EventType("CustomerAddressChanged", 1, CustomerAddressChanged),
        EventType("CustomerForgotten", 1, CustomerForgotten),
        EventType("CustomerErased", 1, CustomerErased),
    ),
    decide=decide,
    evolve=evolve,
    begins_with=frozenset({CustomerRegistered, CustomerForgotten}),
    owner="customer_id",
    read_access=Access("profiles:read"),
)

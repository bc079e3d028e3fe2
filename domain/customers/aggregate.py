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
from domain.model.aggregate import Aggregate, CommandType
from domain.model.event_types import EventType

CUSTOMER = Aggregate(
    category="customer",
    plural="customers",
    state=Customer,
    commands=(
        CommandType(RegisterCustomer, "register", creates=True, summary="Register a customer, or one who comes back"),
        CommandType(ChangeName, "change-name", summary="Give a customer another name"),
        CommandType(ChangeEmail, "change-email", summary="Change a customer's mail address"),
        CommandType(ChangeAddress, "change-address", summary="Change a customer's postal address"),
        CommandType(ForgetCustomer, "forget", summary="Forget a customer: operators alone", may_create=True),
        CommandType(RecordErased, "record-erased", summary="Record that a forgotten customer's key was destroyed"),
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
)

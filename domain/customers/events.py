"""What has happened to a customer. Times are aware and in UTC; what is personal is marked, and encrypted in the log."""

from datetime import datetime
from typing import Annotated

from msgspec import Struct

from domain.model.personal import Personal

CUSTOMER = "customer"
"""The kind of person, as marks name it."""


class Address(Struct, frozen=True, gc=False):
    """Where goods are sent."""

    street: str
    city: str
    postal_code: str
    country: str


_TEXT = Personal(CUSTOMER, "customer_id")
_ADDRESS = Personal(CUSTOMER, "customer_id", redacted=None)
_FIRST_TEXT = Personal(CUSTOMER, "customer_id", begins=True)
_FIRST_ADDRESS = Personal(CUSTOMER, "customer_id", redacted=None, begins=True)


class CustomerRegistered(Struct, frozen=True, gc=False):
    """A customer is known, or known again."""

    customer_id: str
    name: Annotated[str, _FIRST_TEXT]
    email: Annotated[str, _FIRST_TEXT]
    address: Annotated[Address | None, _FIRST_ADDRESS]
    registered_at: datetime


class CustomerRenamed(Struct, frozen=True, gc=False):
    """The customer has another name."""

    customer_id: str
    name: Annotated[str, _TEXT]
    renamed_at: datetime


class CustomerEmailChanged(Struct, frozen=True, gc=False):
    """The customer's mails go to another address."""

    customer_id: str
    email: Annotated[str, _TEXT]
    changed_at: datetime


class CustomerAddressChanged(Struct, frozen=True, gc=False):
    """The customer has another postal address, or none."""

    customer_id: str
    address: Annotated[Address | None, _ADDRESS]
    changed_at: datetime


class CustomerForgotten(Struct, frozen=True, gc=False):
    """The customer is to be forgotten: views show nothing personal from here on, and no mail goes out. The key is
    destroyed next."""

    customer_id: str
    forgotten_at: datetime


class CustomerErased(Struct, frozen=True, gc=False):
    """The key was destroyed: nobody can read any more what was personal before. The customer may come back."""

    customer_id: str
    erased_at: datetime


CustomerEvent = (
    CustomerRegistered
    | CustomerRenamed
    | CustomerEmailChanged
    | CustomerAddressChanged
    | CustomerForgotten
    | CustomerErased
)

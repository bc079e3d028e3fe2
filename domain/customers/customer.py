"""A customer: its state, what it decides on a command, and how an event changes it.

The state holds nothing personal, so that no cache of it has anything to forget. The price: a change to what is so
already is an event all the same.
"""

from enum import StrEnum

from msgspec import Struct

from domain.customers.commands import (
    ChangeAddress,
    ChangeEmail,
    ChangeName,
    CustomerCommand,
    ForgetCustomer,
    PostalAddress,
    RecordErased,
    RegisterCustomer,
)
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
from domain.customers.rules import check
from domain.model.command_context import CommandContext
from domain.model.errors import AlreadyExists, NoSuchAggregate, RuleViolation


class Status(StrEnum):
    REGISTERED = "registered"
    FORGOTTEN = "forgotten"
    ERASED = "erased"


class Customer(Struct, frozen=True):
    """`forgotten`: the key is still to be destroyed; `erased`: it was."""

    customer_id: str
    status: Status


def decide(command: CustomerCommand, customer: Customer | None, context: CommandContext) -> list[CustomerEvent]:
    """The event that the command causes.

    Raises InvalidCommand when the command can never be right, RuleViolation when the customer's state forbids it,
    NoSuchAggregate when there is no such customer and the command needs one.
    """
    check(command, context)
    customer_id, at = context.aggregate_id, context.at
    status = customer.status if customer else None
    match command:
        case RegisterCustomer(name, email, address):
            _require_may_register(customer_id, status)
            return [CustomerRegistered(customer_id, name, email, _address(address), at)]
        case ForgetCustomer():
            # One who was never registered may have orders and mails all the same.
            if status not in (None, Status.REGISTERED):
                raise RuleViolation(f"customer-{status}", f"customer {customer_id} was forgotten already")
            return [CustomerForgotten(customer_id, at)]
    if status is None:
        raise NoSuchAggregate(f"there is no customer {customer_id}")
    if isinstance(command, RecordErased):
        if status is not Status.FORGOTTEN:
            raise RuleViolation(f"customer-{status}", f"customer {customer_id} is {status}, not to be erased")
        return [CustomerErased(customer_id, at)]
    if status is not Status.REGISTERED:
        raise RuleViolation(f"customer-{status}", f"customer {customer_id} was forgotten")
    match command:
        case ChangeName(name):
            return [CustomerRenamed(customer_id, name, at)]
        case ChangeEmail(email):
            return [CustomerEmailChanged(customer_id, email, at)]
        case ChangeAddress(address):
            return [CustomerAddressChanged(customer_id, _address(address), at)]


def _require_may_register(customer_id: str, status: Status | None) -> None:
    if status is Status.REGISTERED:
        raise AlreadyExists("customer-registered", f"customer {customer_id} is registered already")
    if status is Status.FORGOTTEN:
        detail = f"customer {customer_id} is being forgotten; once the key is destroyed, it may register again"
        raise RuleViolation("customer-forgotten", detail)


def _address(address: PostalAddress | None) -> Address | None:
    return None if address is None else Address(address.street, address.city, address.postal_code, address.country)


def evolve(customer: Customer | None, event: CustomerEvent) -> Customer:
    """The customer after the event."""
    match event:
        case CustomerRegistered():
            return Customer(event.customer_id, Status.REGISTERED)
        case CustomerForgotten():
            return Customer(event.customer_id, Status.FORGOTTEN)
    if customer is None:
        raise ValueError(
            f"{type(event).__name__} stands before CustomerRegistered in the stream of {event.customer_id}"
        )
    return Customer(event.customer_id, Status.ERASED) if isinstance(event, CustomerErased) else customer

"""Customers: given what has happened, when a command comes, then these events or this refusal."""

from typing import Any

import pytest
from msgspec import Struct

from domain.customers.aggregate import CUSTOMER
from domain.customers.commands import (
    ChangeAddress,
    ChangeEmail,
    ChangeName,
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
    CustomerForgotten,
    CustomerRegistered,
    CustomerRenamed,
)
from domain.model.errors import InvalidCommand, NoSuchAggregate
from tests.support.decider import NOON, Given

POSTAL, HOME = PostalAddress("1 Main St", "Bath", "BA1", "GB"), Address("1 Main St", "Bath", "BA1", "GB")
REGISTER = RegisterCustomer("Ada", "ada@example.com", POSTAL)
REGISTERED = CustomerRegistered("c-1", "Ada", "ada@example.com", HOME, NOON)
RENAMED = CustomerRenamed("c-1", "Ada L.", NOON)
MAIL_CHANGED = CustomerEmailChanged("c-1", "ada@work.example", NOON)
MOVED, MOVED_OUT = CustomerAddressChanged("c-1", HOME, NOON), CustomerAddressChanged("c-1", None, NOON)
FORGOTTEN, ERASED = CustomerForgotten("c-1", NOON), CustomerErased("c-1", NOON)
CHANGES: list[Struct] = [ChangeName("Ada L."), ChangeEmail("ada@work.example"), ChangeAddress(POSTAL)]


def customer(*events: Any) -> Given:
    return Given(CUSTOMER, "c-1", *events)


@pytest.mark.parametrize(
    ("history", "command", "event"),
    [
        ([], REGISTER, REGISTERED),
        ([REGISTERED], ChangeName("Ada L."), RENAMED),
        ([REGISTERED, RENAMED], ChangeEmail("ada@work.example"), MAIL_CHANGED),
        ([REGISTERED], ChangeAddress(POSTAL), MOVED),
        ([REGISTERED, MOVED], ChangeAddress(None), MOVED_OUT),
        ([REGISTERED, MAIL_CHANGED, MOVED_OUT], ForgetCustomer(), FORGOTTEN),
        ([], ForgetCustomer(), FORGOTTEN),
        ([REGISTERED, FORGOTTEN], RecordErased(), ERASED),
        ([FORGOTTEN, ERASED], REGISTER, REGISTERED),
        ([REGISTERED, FORGOTTEN, ERASED, REGISTERED], ForgetCustomer(), FORGOTTEN),
    ],
)
def test_what_comes_of_it(history: list[Any], command: Struct, event: Struct) -> None:
    customer(*history).when(command).then(event)


@pytest.mark.parametrize(
    ("history", "commands", "code"),
    [
        ([REGISTERED], [REGISTER], "customer-registered"),
        ([REGISTERED], [RecordErased()], "customer-registered"),
        ([REGISTERED, FORGOTTEN], [REGISTER, ForgetCustomer(), *CHANGES], "customer-forgotten"),
        ([REGISTERED, FORGOTTEN, ERASED], [ForgetCustomer(), RecordErased(), *CHANGES], "customer-erased"),
    ],
)
def test_what_the_state_forbids(history: list[Any], commands: list[Struct], code: str) -> None:
    for command in commands:
        customer(*history).when(command).then_violation(code)


@pytest.mark.parametrize("command", [*CHANGES, RecordErased()])
def test_what_needs_a_customer(command: Struct) -> None:
    customer().when(command).then_error(NoSuchAggregate)


@pytest.mark.parametrize(
    "email",
    ["ada@example.com", "a.b+c@x.example", "o'neil@sub.domain.example", "x@" + "a" * 60 + ".example"],
)
def test_addresses_that_are(email: str) -> None:
    customer(REGISTERED).when(ChangeEmail(email)).then(CustomerEmailChanged("c-1", email, NOON))


@pytest.mark.parametrize(
    "email",
    [
        *("", "ada", "ada@", "@example.com", "ada@localhost", "a b@example.com", "ada@example..com", "ada@-x.com"),
        *(".ada@example.com", "ada.@example.com", "a..b@example.com", "ada@example.com\r\nBcc: all@example.com"),
        *("ada@example.com ", "<ada@example.com>", "ada@example.com,eve@example.com", "a@b@example.com", "[redacted]"),
        *("x" * 65 + "@example.com", "ada@" + ".".join(["x" * 60] * 5), "ädä@example.com", "ada@exämple.com"),
    ],
)
def test_addresses_that_are_none(email: str) -> None:
    refused = customer(REGISTERED).when(ChangeEmail(email)).then_faults("/email")
    assert not email or email not in str(refused).replace("such as ada@example.com", ""), "it is personal"


def test_every_fault_is_named() -> None:
    command = RegisterCustomer(" ", "no", PostalAddress("", "\n", "x" * 21, "de"))
    pointers = ["/customer_id", "/name", "/email"]
    pointers += [f"/address/{field}" for field in ("street", "city", "postal_code", "country")]
    Given(CUSTOMER, "-").when(command).then_faults(*pointers)
    customer(REGISTERED).when(ChangeName("[redacted]")).then_faults("/name")
    customer().when(RegisterCustomer("Ada", "ada@example.com")).then(
        CustomerRegistered("c-1", "Ada", "ada@example.com", None, NOON)
    )
    with pytest.raises(InvalidCommand):
        CUSTOMER.decide(ChangeAddress(PostalAddress("", "x", "x", "DE")), None, customer().context)


def test_the_state_holds_nothing_personal() -> None:
    state = customer(REGISTERED, RENAMED, MOVED).state
    assert "Ada" not in repr(state)
    assert "Bath" not in repr(state)

"""Which commands can be valid at all, whatever the customer's state. Every fault is reported, none repeats a value."""

import re

from domain.customers.commands import (
    COUNTRY_PATTERN,
    EMAIL_PATTERN,
    MAX_CITY_LENGTH,
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    MAX_POSTAL_CODE_LENGTH,
    MAX_STREET_LENGTH,
    ChangeAddress,
    ChangeEmail,
    ChangeName,
    CustomerCommand,
    PostalAddress,
    RegisterCustomer,
)
from domain.model.command_context import CommandContext
from domain.model.errors import Fault, InvalidCommand
from domain.model.identifiers import identifier_faults, text_faults
from domain.model.personal import REDACTED

_EMAIL = re.compile(EMAIL_PATTERN[1:-1])
_COUNTRY = re.compile(COUNTRY_PATTERN[1:-1])


def check(command: CustomerCommand, context: CommandContext) -> None:
    """Raises InvalidCommand with every fault of the command, or of the customer's id."""
    faults = identifier_faults(context.aggregate_id, "/customer_id")
    match command:
        case RegisterCustomer(name, email, address):
            faults += _name_faults(name) + _email_faults(email) + _address_faults(address)
        case ChangeName(name):
            faults += _name_faults(name)
        case ChangeEmail(email):
            faults += _email_faults(email)
        case ChangeAddress(address):
            faults += _address_faults(address)
    if faults:
        raise InvalidCommand(faults)


def _name_faults(name: str) -> list[Fault]:
    if name == REDACTED:
        return [Fault("/name", f"can't be {REDACTED}, which stands for a name that was erased")]
    return text_faults(name, "/name", MAX_NAME_LENGTH)


def _email_faults(email: str) -> list[Fault]:
    if len(email) <= MAX_EMAIL_LENGTH and _EMAIL.fullmatch(email):
        return []
    return [
        Fault("/email", f"must be a mail address such as ada@example.com, of at most {MAX_EMAIL_LENGTH} characters")
    ]


def _address_faults(address: PostalAddress | None) -> list[Fault]:
    if address is None:
        return []
    faults = text_faults(address.street, "/address/street", MAX_STREET_LENGTH)
    faults += text_faults(address.city, "/address/city", MAX_CITY_LENGTH)
    faults += text_faults(address.postal_code, "/address/postal_code", MAX_POSTAL_CODE_LENGTH)
    if not _COUNTRY.fullmatch(address.country):
        faults.append(Fault("/address/country", "must be an ISO 3166 code of two capital letters, such as DE"))
    return faults

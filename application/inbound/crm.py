"""The CRM's customers become ours: registered where they are new, changed where they are known."""

from typing import Annotated

from msgspec import Meta, Struct

from domain.customers.aggregate import CUSTOMER
from domain.customers.commands import (
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    ChangeAddress,
    ChangeEmail,
    ChangeName,
    PostalAddress,
    RegisterCustomer,
)
from domain.model.inbound import InboundContract, InboundMessage, MappedCommand


class CrmAddress(Struct, frozen=True):
    """Where goods are sent."""

    street: str
    city: str
    postal_code: str
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166 code of two letters")]


class CustomerChanged(Struct, frozen=True):
    """The customer as the CRM has it now, whole: without an address there is none."""

    customer_id: str
    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH)]
    email: Annotated[str, Meta(min_length=3, max_length=MAX_EMAIL_LENGTH)]
    address: CrmAddress | None = None


def _commands(message: CustomerChanged) -> tuple[MappedCommand, ...]:
    address = _address(message.address)

    def command(struct: Struct) -> MappedCommand:
        return MappedCommand(CUSTOMER.category, message.customer_id, struct)

    changes = (
        command(ChangeName(message.name)),
        command(ChangeEmail(message.email)),
        command(ChangeAddress(address)),
    )
    register = RegisterCustomer(message.name, message.email, address)
    return (
        MappedCommand(CUSTOMER.category, message.customer_id, register, otherwise={"customer-registered": changes}),
    )


def _address(address: CrmAddress | None) -> PostalAddress | None:
    if address is None:
        return None
    return PostalAddress(address.street, address.city, address.postal_code, address.country)


TAKEN_FROM_CRM = InboundContract(
    system="crm",
    messages=(
        InboundMessage(
            "customer-changed",
            1,
            CustomerChanged,
            _commands,
            CustomerChanged(
                "ada", "Ada Lovelace", "ada@example.com", CrmAddress("12 St James's Square", "London", "SW1Y 4JH", "GB")
            ),
        ),
    ),
)

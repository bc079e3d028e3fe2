"""The commands for a customer. Fields and types only; `rules.py` says which values are allowed."""

from typing import Annotated

from msgspec import Struct

from domain.model.documented import documented, documented_text
from domain.model.personal import PERSONAL_INPUT

MAX_NAME_LENGTH = 200
MAX_EMAIL_LENGTH = 254
MAX_STREET_LENGTH = 200
MAX_CITY_LENGTH = 100
MAX_POSTAL_CODE_LENGTH = 20

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_CHARACTER = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
EMAIL_PATTERN = rf"^{_CHARACTER}(\.?{_CHARACTER}){{0,63}}@{_LABEL}(\.{_LABEL})+$"
"""An address as mail servers everywhere take it: no quotes, no comments, a domain with a dot."""
COUNTRY_PATTERN = "^[A-Z]{2}$"

_Name = Annotated[str, documented_text("The customer's name", MAX_NAME_LENGTH), PERSONAL_INPUT]
_Email = Annotated[
    str,
    PERSONAL_INPUT,
    documented("Where mails go", maxLength=MAX_EMAIL_LENGTH, pattern=EMAIL_PATTERN, examples=["ada@example.com"]),
]


class PostalAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """Where goods are sent."""

    street: Annotated[str, documented_text("Street and number", MAX_STREET_LENGTH)]
    city: Annotated[str, documented_text("City", MAX_CITY_LENGTH)]
    postal_code: Annotated[str, documented_text("Postal code", MAX_POSTAL_CODE_LENGTH)]
    country: Annotated[str, documented("ISO 3166 code of two letters", pattern=COUNTRY_PATTERN, examples=["DE"])]


class RegisterCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    """Make a customer known; also one who was forgotten and comes back."""

    name: _Name
    email: _Email
    address: Annotated[PostalAddress | None, PERSONAL_INPUT] = None


class ChangeName(Struct, frozen=True, forbid_unknown_fields=True):
    """Give the customer another name."""

    name: _Name


class ChangeEmail(Struct, frozen=True, forbid_unknown_fields=True):
    """Have the customer's mails go to another address."""

    email: _Email


class ChangeAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """Set the postal address, or take it back."""

    address: Annotated[PostalAddress | None, PERSONAL_INPUT]


class ForgetCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    """Have all that is personal about the customer erased; also of one who was never registered."""


class RecordErased(Struct, frozen=True, forbid_unknown_fields=True):
    """Record that the key of a forgotten customer's data was destroyed."""


CustomerCommand = RegisterCustomer | ChangeName | ChangeEmail | ChangeAddress | ForgetCustomer | RecordErased

"""What a query may be asked with: named parameters, each of one kind, in the path or in the query string."""

from msgspec import Struct


class Identifier(Struct, frozen=True):
    """An id as aggregates have them: letters, digits and a few marks; compared with a text field."""


class WholeNumber(Struct, frozen=True):
    """A whole number between two bounds, both included (at most 19 digits, not negative)."""

    lowest: int = 0
    highest: int = 2**63 - 1


class OneOf(Struct, frozen=True):
    """One of a few words; compared with a text field."""

    words: tuple[str, ...]


class Date(Struct, frozen=True):
    """A date such as 2026-01-31; compared with a field that holds it as the integer yyyymmdd."""


class Time(Struct, frozen=True):
    """An RFC 3339 time with an offset; compared with a field that holds epoch milliseconds."""


class Text(Struct, frozen=True):
    """Printable text of 1 to `longest` characters; compared with a text field."""

    longest: int


Kind = Identifier | WholeNumber | OneOf | Date | Time | Text


class Parameter(Struct, frozen=True):
    """One parameter. One that stands in the path is always required.

    `field` is the field of the documents that it filters, as it is called in the store; "" where that has the
    parameter's own name.
    """

    name: str
    kind: Kind
    description: str = ""
    field: str = ""
    required: bool = False

    @property
    def filtered_field(self) -> str:
        """The field of the documents that it is compared with."""
        return self.field or self.name

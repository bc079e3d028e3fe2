"""What is asked of many documents at once: which ones, in which order, and how many."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Scalar = str | int | float | bool


class Comparison(Struct, frozen=True):
    """What a field's value must meet; a bound that is None is not checked."""

    above: Scalar | None = None
    at_least: Scalar | None = None
    at_most: Scalar | None = None
    below: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = None


Where = Mapping[str, Scalar | Comparison]
"""Field -> the value that it must have, or a comparison that it must meet; all of them."""


class Page(Struct, frozen=True):
    """At most `limit` documents that meet `where`, ordered by the field `by`, which all of them have."""

    where: Where
    by: str
    limit: int
    direction: Literal["ascending", "descending"] = "ascending"

"""What a custom query reads with: the documents of its own view, in the build that is served."""

from collections.abc import Mapping
from typing import Any, Protocol

MOST_ROWS = 1000
"""The most documents that one read gives."""


class Reads(Protocol):
    """Each document comes as the Struct that the view declares. All reads of one request are of the same build."""

    async def document(self, key: str) -> Any | None:
        """The document of that key; None when there is none."""
        ...

    async def rows(
        self,
        by: str,
        limit: int,
        *,
        where: Mapping[str, str | int | float | bool] = {},
        first: int | None = None,
        last: int | None = None,
        descending: bool = False,
    ) -> list[Any]:
        """At most `limit` documents ordered by the integer field `by`, from `first` to `last`, both included.

        `where` says what other fields must hold. An index of the view should begin with those fields and end with `by`.
        Raises ValueError when `limit` is not 1 to MOST_ROWS.
        """
        ...

"""The documents that a view's projection knows without asking the store."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct


class Known(Struct, frozen=True, gc=False):
    """A document as of `position`, the last event folded into it; `document` is None when it was deleted.

    `new` says that the store holds nothing under the key yet.
    """

    position: int
    document: Any
    new: bool = False


ABSENT = Known(-1, None, new=True)


class DocumentCache:
    """At most `capacity` documents, those used least recently let go first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: dict[str, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Known | None:
        """What is known of the key; None when the store must be asked. Does not count as use: see `keep`."""
        return self._known.get(key)

    def keep(self, used: Mapping[str, Known]) -> None:
        """Takes in what a batch used and wrote."""
        for key, known in used.items():
            self._known.pop(key, None)
            self._known[key] = known
        excess = len(self._known) - self._capacity
        if excess > 0:
            for key in [key for key, _ in zip(self._known, range(excess), strict=False)]:
                del self._known[key]

    def forget(self, keys: Iterable[str]) -> None:
        """The store must be asked for these again."""
        for key in keys:
            self._known.pop(key, None)

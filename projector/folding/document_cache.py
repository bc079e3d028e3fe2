"""The cached documents of a build."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct


class CachedDocument(Struct, frozen=True, gc=False):
    """A document as of `position`, the last event folded into it; `document` is None when it was deleted.

    `new` says that the store has nothing under the key yet.
    """

    position: int
    document: Any
    new: bool = False

    @property
    def written(self) -> "CachedDocument":
        """The same once the store has it."""
        return CachedDocument(self.position, self.document)


ABSENT = CachedDocument(-1, None, new=True)


class DocumentCache:
    """At most `capacity` documents; the least recently used are removed first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._cached: dict[str, CachedDocument] = {}

    def __len__(self) -> int:
        return len(self._cached)

    def get(self, key: str) -> CachedDocument | None:
        """The cached document; None when the store must be asked. Does not count as use: see `update`."""
        return self._cached.get(key)

    def update(self, used: Mapping[str, CachedDocument]) -> None:
        """Adds what a batch used and wrote."""
        for key, cached in used.items():
            self._cached.pop(key, None)
            self._cached[key] = cached
        excess = len(self._cached) - self._capacity
        if excess > 0:
            for key in [key for key, _ in zip(self._cached, range(excess), strict=False)]:
                del self._cached[key]

    def forget(self, keys: Iterable[str]) -> None:
        """The store must be asked for these again."""
        for key in keys:
            self._cached.pop(key, None)

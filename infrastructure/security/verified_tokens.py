"""Tokens that were verified, so that each is verified once: a bounded memory, by the tokens' hashes."""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from infrastructure.security.identity import Identity
from infrastructure.security.verifier import Verified


class VerifiedTokens:
    """The `size` that were seen last. Each is forgotten when it expires, and `most_seconds` after it was verified: no
    key that is withdrawn counts for longer.

    `clock` is in epoch seconds. Nothing here holds a token.
    """

    def __init__(self, size: int, most_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._size = size
        self._most_seconds = most_seconds
        self._clock = clock
        self._kept: OrderedDict[bytes, Verified] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, token: bytes) -> Identity | None:
        """Who the token is of, if that is known and it is still valid."""
        digest = sha256(token).digest()
        kept = self._kept.get(digest)
        if kept is None:
            return None
        if kept.expires <= self._clock():
            del self._kept[digest]
            return None
        self._kept.move_to_end(digest)
        return kept.identity

    def keep(self, token: bytes, verified: Verified) -> None:
        """Remembers it."""
        if self._size == 0:
            return
        expires = min(verified.expires, self._clock() + self._most_seconds)
        self._kept[sha256(token).digest()] = Verified(verified.identity, expires)
        if len(self._kept) > self._size:
            self._kept.popitem(last=False)

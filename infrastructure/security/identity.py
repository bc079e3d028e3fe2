"""Who sends a request, as far as it is proven."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

EVERYTHING = "*"
"""The scope that stands for all of them."""


class Identity(Struct, frozen=True):
    """`subject` is the token's. `scopes` are what it may do; EVERYTHING is all of it, other people's things included.

    One with the scope "act-for-others" may say by `Eventfold-Actor` for whom it acts.
    """

    subject: str
    scopes: frozenset[str] = frozenset()

    def may(self, scope: str) -> bool:
        return scope in self.scopes or EVERYTHING in self.scopes


ANYBODY = Identity("anonymous", frozenset({EVERYTHING}))
"""Whoever asks a service that asks for no tokens."""

NOBODY = Identity("anonymous")
"""Whoever asks, without a token, for what is open to all."""

_STATE = "identity"


def identity_of(scope: Mapping[str, Any]) -> Identity:
    """Who sends the request with this ASGI scope; NOBODY, who may do nothing, where nobody has found out."""
    found = scope.get("state", {}).get(_STATE, NOBODY)
    assert isinstance(found, Identity)
    return found


def identify(scope: Any, identity: Identity) -> None:
    """Says who sends the request."""
    scope.setdefault("state", {})[_STATE] = identity

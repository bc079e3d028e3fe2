"""Who sends a request, as far as it is proven."""

from litestar.types import Scope
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


def identity_of(scope: Scope) -> Identity:
    """Who sends a request, as the authentication has found; ANYBODY where there is none."""
    found: Identity = scope.get("state", {}).get("identity", ANYBODY)
    return found

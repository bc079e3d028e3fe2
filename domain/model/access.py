"""Who may use a command, a query or an endpoint: the rule that is declared beside it."""

import re

from msgspec import Struct

_SCOPE = re.compile(r"[a-z][a-z0-9-]*:[a-z][a-z0-9-]*")


class Access(Struct, frozen=True):
    """A rule: whoever has the `scope`, such as "orders:read".

    `owner` names the field that says whose it is: of the document for a query (of its parameters for a custom one), of
    the aggregate's state for a command. Then who has the scope uses what is their own, and nobody else's. What has no
    owner belongs to all of them together, so it is for those alone who may see everybody's; unless it is `shared`, with
    nothing in it that is anybody's own.

    Raises ValueError when it is none of these.
    """

    scope: str
    owner: str = ""
    shared: bool = False

    def __post_init__(self) -> None:
        if not self.scope and not self.shared:
            raise ValueError("what takes no scope is shared by everybody")
        if self.scope and not _SCOPE.fullmatch(self.scope):
            raise ValueError(f"a scope is written like orders:read, not {self.scope!r}")
        if self.owner and self.shared:
            raise ValueError(f"{self.scope}: what has an owner ({self.owner}) is not shared")

    @property
    def is_public(self) -> bool:
        """Whether anybody may, without any proof of who it is."""
        return not self.scope


PUBLIC = Access("", shared=True)
"""For whoever asks."""

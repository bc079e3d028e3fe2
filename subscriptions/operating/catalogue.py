"""All consumers, whichever process runs them, and the targets of each."""

from collections.abc import Collection, Mapping
from typing import Protocol

from msgspec import Struct

from infrastructure.checkpoints import Target


class TargetsOf(Struct, frozen=True):
    """The targets of a consumer. `served` is the one that others read, `candidate` will take its place, `previous` had
    it before; most consumers have only one target."""

    served: Target
    candidate: Target | None = None
    previous: Target | None = None

    @property
    def all(self) -> tuple[Target, ...]:
        return tuple(one for one in (self.served, self.candidate, self.previous) if one is not None)

    @property
    def shown(self) -> tuple[Target, ...]:
        """Those whose dead letters are shown: those of the previous one only repeat them."""
        return tuple(one for one in (self.served, self.candidate) if one is not None)


class Catalogue(Protocol):
    """`own` are the consumers that this service runs, whose names it knows before it has read anything."""

    own: Collection[str]

    async def load(self, names: Collection[str] | None = None) -> Mapping[str, TargetsOf]:
        """Those of the consumers named (or of all) that have begun, by name. Raises what the store raises."""

"""Which consumers there are, whoever runs them, and what each of them brings up to date."""

from collections.abc import Collection, Mapping
from typing import Protocol

from msgspec import Struct

from infrastructure.checkpoints import Target


class TargetsOf(Struct, frozen=True):
    """What a consumer brings up to date. `served` is what others read or rely on, `candidate` what is to take its
    place, `previous` what had it before; most consumers have one target alone."""

    served: Target
    candidate: Target | None = None
    previous: Target | None = None

    @property
    def all(self) -> tuple[Target, ...]:
        """Every one of them."""
        return tuple(one for one in (self.served, self.candidate, self.previous) if one is not None)

    @property
    def shown(self) -> tuple[Target, ...]:
        """Those whose dead letters are shown: what the previous one has parked only repeats them."""
        return tuple(one for one in (self.served, self.candidate) if one is not None)


class Catalogue(Protocol):
    """`own` are the consumers that this service runs, which it can name before anything has been read."""

    own: Collection[str]

    async def load(self, names: Collection[str] | None = None) -> Mapping[str, TargetsOf]:
        """Those of the consumers named (or of all) that have begun, by name. Raises what the store raises."""

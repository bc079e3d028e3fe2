"""Which routes are at the root of the one address: read off the applications' own declarations."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.utils import normalize_path
from msgspec import Struct

from monolith.part import Part

_PARAMETER = re.compile(r"{[^}]*}")
_EVERYWHERE = "OPTIONS"
_NOTHING: frozenset[str] = frozenset()


class AmbiguousRoutes(ValueError):
    """Two services that have their routes at the root declare the same one."""


class Surface(Struct, frozen=True):
    """What of a part's routes is at the root: methods, but for OPTIONS, by path template."""

    part: Part
    methods: Mapping[str, frozenset[str]]

    def methods_at(self, path: str) -> frozenset[str]:
        """The methods that it answers at a path; none where it has no such path at the root."""
        try:
            found = self.part.app.asgi_router.handle_routing(path=normalize_path(path), method=_EVERYWHERE)
        except HTTPException:
            return _NOTHING
        return self.methods.get(found[-1], _NOTHING)


def root_surfaces(parts: Sequence[Part], front: Litestar) -> list[Surface]:
    """Of each part that is at the root. What `front` answers is left out, and what another part declares too, such as
    the operators' routes of all that follow the log: which one is meant, only /-/NAME says.

    Raises AmbiguousRoutes where two parts at the root declare the same.
    """
    common = set(_routes(front))
    owners: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        for method, template in _routes(part.app):
            owners.setdefault((method, _PARAMETER.sub("{}", template)), []).append(part)
    for (method, template), owning in owners.items():
        rivals = [one.name for one in owning if one.at_root]
        if len(rivals) > 1 and (method, template) not in {(m, _PARAMETER.sub("{}", t)) for m, t in common}:
            raise AmbiguousRoutes(f"{method} {template} is declared by {' and '.join(rivals)}")
    return [Surface(part, _own(part, owners, common)) for part in parts if part.at_root]


def _own(
    part: Part, owners: Mapping[tuple[str, str], Collection[Part]], common: Collection[tuple[str, str]]
) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for method, template in _routes(part.app):
        is_shared = len(owners[method, _PARAMETER.sub("{}", template)]) > 1
        if (method, template) not in common and not is_shared:
            found.setdefault(template, set()).add(method)
    return {template: frozenset(methods) for template, methods in found.items()}


def _routes(app: Litestar) -> Iterator[tuple[str, str]]:
    """Method and template of each route but those of OPTIONS, which every path has."""
    for route in app.routes:
        for method in getattr(route, "methods", ()):
            if method != _EVERYWHERE:
                yield str(method), route.path_format

"""Who answers a request: the part whose routes have its path and method, the one that /-/NAME names, or the front."""

from collections.abc import Sequence
from typing import Any

from litestar import Litestar
from litestar.types import Receive, Scope, Send

from infrastructure.http.methods import METHODS_BESIDE
from monolith.part import Part
from monolith.surface import root_surfaces

PREFIX = "/-/"


class Dispatcher:
    """Over the parts; `front` answers for the whole, and where nobody else does. Raises AmbiguousRoutes."""

    def __init__(self, front: Litestar, parts: Sequence[Part]) -> None:
        self._front = front
        self._by_name = {part.name: part.app for part in parts}
        self._surfaces = root_surfaces(parts, front)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes an HTTP request on."""
        named = self._named(scope) if scope["path"].startswith(PREFIX) else None
        app = self._at_root(scope) if named is None else named
        await app(scope, receive, send)

    def _named(self, scope: Any) -> Litestar | None:
        """The part that the path names; it sees the rest of the path. None where there is no such part."""
        _, _, name, *rest = scope["path"].split("/", 3)
        app = self._by_name.get(name)
        if app is not None:
            scope["path"] = "/" + "".join(rest)
            scope["raw_path"] = b"/" + b"".join(scope["raw_path"].split(b"/", 3)[3:])
        return app

    def _at_root(self, scope: Any) -> Litestar:
        """The first part that has the path and the method, or else the path: it says what is allowed there, with what
        the others answer there."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        beside: frozenset[str] = frozenset()
        has_path: Litestar | None = None
        for surface in self._surfaces:
            found = surface.methods_at(scope["path"])
            if method in found:
                return surface.part.app
            if found:
                has_path = has_path or surface.part.app
                beside |= found
        if has_path is None:
            return self._front
        scope["state"][METHODS_BESIDE] = beside
        return has_path

"""What the gateway routes: what clients use, derived from what the services' routes declare of themselves."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from litestar import Litestar
from litestar.serialization import decode_json, encode_json
from msgspec import Struct

from domain.model.access import Access
from infrastructure.http.open_paths import METRICS, OpenPaths
from infrastructure.http.rules import ACCESS
from infrastructure.security.roles import ROLES
from ops.gateway.errors import InvalidGateway

INTERNAL_ROLES = frozenset({"operator", "service", "inbound"})
"""Whoever has these calls the services themselves, never the gateway."""

_PARAMETER = re.compile(r"\{[^}]*\}")
_OF_EVERY_SERVICE = OpenPaths()
_STREAM = "text/event-stream"
_KEY = "Idempotency-Key"

Repeatable = Literal["always", "with-key", "never"]


class PublicRoute(Struct, frozen=True):
    """One route. `repeatable`: whether a request that broke off may be sent again: always (it changes nothing), with an
    idempotency key (the second one has the first one's answer), or never. `streams`: it lasts, event by event.
    `compressible`: no ETag of its answers is an aggregate's version. `needs_token`: it is not open to all.
    `prefix` is what the gateway puts before the service's path, and takes off again."""

    service: str
    method: str
    path: str
    needs_token: bool
    repeatable: Repeatable
    streams: bool
    compressible: bool
    prefix: str = ""

    @property
    def public_path(self) -> str:
        return self.prefix + self.path

    @property
    def shape(self) -> str:
        """The path with its parameters nameless: two routes of one shape can't be told apart."""
        return _PARAMETER.sub("{}", self.public_path)


def route_table(services: Mapping[str, Litestar], *, operators: bool = False) -> list[PublicRoute]:
    """Each route of these services that is for clients, the more exact paths first. With `operators`, theirs too, under
    `/operators/<service>`.

    Raises InvalidGateway when two services answer the same request.
    """
    routes: list[PublicRoute] = []
    for name, app in services.items():
        schema = document_of(app)
        for handler, path in _handlers(app):
            access: Access = handler.opt[ACCESS]
            if _is_everywhere(path):
                continue
            if is_for_clients(access):
                prefix = ""
            elif operators and is_for_operators(access):
                prefix = f"/operators/{name}"
            else:
                continue
            routes += (
                _route(name, method, path, handler, access, schema, prefix)
                for method in sorted(str(one) for one in handler.http_methods)
                if method not in ("OPTIONS", "HEAD")
            )
    _require_distinct(routes)
    return sorted(routes, key=_exactness)


def document_of(app: Litestar) -> dict[str, Any]:
    """The application's OpenAPI document, as it serves it."""
    found: dict[str, Any] = decode_json(encode_json(app.openapi_schema.to_schema()))
    return found


def is_for_clients(access: Access) -> bool:
    """Whether somebody besides our own services and operators may use it: what no role at all has, a token can name."""
    if access.is_public:
        return True
    holders = {role for role, scopes in ROLES.items() if access.scope in scopes}
    return not holders or bool(holders - INTERNAL_ROLES)


def is_for_operators(access: Access) -> bool:
    return access.scope in ROLES["operator"]


def _is_everywhere(path: str) -> bool:
    """Health, metrics and pages, which every service has for itself."""
    return path in _OF_EVERY_SERVICE or path in (METRICS, "/log-level")


def _handlers(app: Litestar) -> Iterator[tuple[Any, str]]:
    for route in app.routes:
        handlers: list[Any] = getattr(route, "route_handlers", None) or [route.route_handler]  # type: ignore[union-attr]
        for handler in handlers:
            yield handler, route.path_format


def _route(
    service: str, method: str, path: str, handler: Any, access: Access, schema: Mapping[str, Any], prefix: str
) -> PublicRoute:
    operation = schema.get("paths", {}).get(path, {}).get(method.lower(), {})
    repeatable: Repeatable = "never"
    if method == "GET":
        repeatable = "always"
    elif any(one.get("name") == _KEY for one in operation.get("parameters", ())):
        repeatable = "with-key"
    streams = str(handler.media_type or "").startswith(_STREAM)
    return PublicRoute(
        service=service,
        method=method,
        path=path,
        needs_token=not access.is_public,
        repeatable=repeatable,
        streams=streams,
        compressible=method == "GET" and not streams and not _names_version(operation),
        prefix=prefix,
    )


def _names_version(operation: Mapping[str, Any]) -> bool:
    etag = operation.get("responses", {}).get("200", {}).get("headers", {}).get("ETag")
    return etag is not None and not etag["schema"].get("pattern", "").startswith("^W/")


def _require_distinct(routes: list[PublicRoute]) -> None:
    first: dict[tuple[str, str], PublicRoute] = {}
    for route in routes:
        other = first.setdefault((route.method, route.shape), route)
        if other is not route:
            raise InvalidGateway(
                f"{route.method} {route.public_path} is served by {other.service} and by {route.service}: the gateway "
                "can't tell which one a client means"
            )


def _exactness(route: PublicRoute) -> tuple[list[tuple[bool, str]], str]:
    """Word by word, a word before a parameter."""
    return [(part == "{}", part) for part in route.shape.split("/")], route.method

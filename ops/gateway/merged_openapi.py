"""One OpenAPI document of all that the gateway routes, merged from the services' own."""

from collections.abc import Mapping, Sequence
from typing import Any

from infrastructure.version import installed_version
from ops.gateway.route_table import PublicRoute

_ABOUT = """One door to all services. Besides the statuses of each operation, the gateway refuses with problem details:
400 (not HTTP), 401 (no valid token), 404 (no such path), 405, 408 (too slow), 413 (the body is too large), 429 (too
often; `Retry-After`), 431 (the headers are too large), 503 (no instance can be reached), 504 (none has answered in
time)."""
_SCHEMAS = "#/components/schemas/"


def merged_openapi(documents: Mapping[str, Mapping[str, Any]], routes: Sequence[PublicRoute]) -> dict[str, Any]:
    """`documents` are those of the services, by name. What two call the same and mean differently gets the service's
    name before it: schemas and operation ids."""
    names = _schema_names(documents)
    paths: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    ids: set[str] = set()
    for route in routes:
        found = documents[route.service].get("paths", {}).get(route.path, {}).get(route.method.lower())
        if found is None:
            continue  # it is in its service's document neither
        operation = _renamed(found, names[route.service])
        if operation.get("operationId") in ids:
            operation["operationId"] = _prefixed(route.service, operation["operationId"])
        ids.add(operation.get("operationId", ""))
        used |= _references(operation)
        paths.setdefault(route.public_path, {})[route.method.lower()] = operation
    schemas = _schemas(documents, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Eventfold", "version": installed_version(), "description": _ABOUT},
        "servers": [{"url": "/", "description": "the gateway that this document comes from"}],
        "tags": [{"name": tag} for tag in sorted(_tags(paths))],
        "paths": paths,
        "components": {
            "schemas": {name: schemas[name] for name in sorted(_closed(used, schemas))},
            "securitySchemes": _security(documents),
        },
    }


def _schemas_of(document: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document.get("components", {}).get("schemas", {})
    return found


def _schema_names(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """By service, what each of its schemas is called in the merged document: its name, unless another service has
    called something else so before."""
    taken: dict[str, Any] = {}
    names: dict[str, dict[str, str]] = {}
    for service, document in documents.items():
        names[service] = {}
        for name, schema in _schemas_of(document).items():
            mine = name if taken.setdefault(name, schema) == schema else _prefixed(service, name)
            taken.setdefault(mine, schema)
            names[service][name] = mine
    return names


def _prefixed(service: str, name: str) -> str:
    return "".join(part.capitalize() for part in service.split("-")) + name


def _schemas(documents: Mapping[str, Mapping[str, Any]], names: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for service, document in documents.items():
        for name, schema in _schemas_of(document).items():
            merged.setdefault(names[service][name], _renamed(schema, names[service]))
    return merged


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    """A copy whose references are to the merged document's schemas."""
    if isinstance(part, list):
        return [_renamed(one, names) for one in part]
    if not isinstance(part, dict):
        return part
    copy = {key: _renamed(value, names) for key, value in part.items()}
    target = copy.get("$ref")
    if isinstance(target, str) and target.startswith(_SCHEMAS):
        copy["$ref"] = _SCHEMAS + names[target.removeprefix(_SCHEMAS)]
    return copy


def _references(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for one in part for name in _references(one)}
    if not isinstance(part, dict):
        return set()
    own = part.get("$ref")
    found = {own.removeprefix(_SCHEMAS)} if isinstance(own, str) and own.startswith(_SCHEMAS) else set()
    return found.union(*(_references(one) for one in part.values()))


def _closed(names: set[str], schemas: Mapping[str, Any]) -> set[str]:
    """These schemas and all that they refer to."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return found


def _tags(paths: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {tag for methods in paths.values() for operation in methods.values() for tag in operation.get("tags", ())}


def _security(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for document in documents.values():
        merged |= document.get("components", {}).get("securitySchemes", {})
    return merged

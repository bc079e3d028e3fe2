"""All of the gateway's configuration, as files, and how they are put in place."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.gateway.bootstrap import CLUSTERS, LISTENERS, bootstrap, certificate_secret
from ops.gateway.clusters import clusters
from ops.gateway.listeners import CERTIFICATE, listeners
from ops.gateway.options import GatewayOptions
from ops.gateway.route_table import PublicRoute
from ops.gateway.routing import ROUTES, route_configuration
from ops.gateway.typed import Config

BOOTSTRAP = "envoy"
DOCUMENT = "openapi.json"

_BEFORE_ROUTES = (DOCUMENT, CERTIFICATE, CLUSTERS)


def configuration(options: GatewayOptions, routes: Sequence[PublicRoute]) -> dict[str, Config]:
    """Each file's content by its name. Raises InvalidGateway."""
    found = {
        BOOTSTRAP: bootstrap(options),
        CLUSTERS: _resources(clusters(options)),
        LISTENERS: _resources(listeners(options)),
        ROUTES: _resources([route_configuration(options, routes)]),
    }
    if options.certificate is not None:
        found[CERTIFICATE] = _resources([certificate_secret(options.certificate)])
    return found


def in_one(files: Mapping[str, Config]) -> Config:
    """The same as one static configuration, for `envoy --mode validate`, which looks into no other file."""
    static = json.loads(json.dumps(files))
    routes = static[ROUTES]["resources"][0]
    routes.pop("@type")
    doors = static[LISTENERS]["resources"]
    manager = doors[0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager.pop("rds")
    manager["route_config"] = routes
    whole: Config = {key: value for key, value in static[BOOTSTRAP].items() if key != "dynamic_resources"}
    whole["static_resources"] = {
        "listeners": [_untyped(one) for one in doors],
        "clusters": [_untyped(one) for one in static[CLUSTERS]["resources"]],
    }
    return whole


def document_text(document: Mapping[str, Any]) -> str:
    """A path and a schema a line: as small as can be, with differences that can be read."""
    parts = {key: json.dumps(value) for key, value in document.items() if key not in ("paths", "components")}
    parts["paths"] = _lines(document["paths"])
    components = document["components"]
    parts["components"] = (
        '{\n"schemas": '
        + _lines(components["schemas"])
        + f',\n"securitySchemes": {json.dumps(components["securitySchemes"])}\n}}'
    )
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {value}" for key, value in parts.items()) + "\n}\n"


def put(folder: Path, options: GatewayOptions, files: Mapping[str, Config], document: str) -> None:
    """Writes them as JSON, each at once: what listens for moves reads whole files. What the routes need comes first.
    They are kept to their owner: the keys may be a secret."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    texts = {DOCUMENT: document, **{f"{name}{options.suffix}": json.dumps(one) for name, one in files.items()}}
    for name in sorted(texts, key=_follows_the_routes_needs):
        _move_in(folder / name, texts[name])


def _follows_the_routes_needs(name: str) -> bool:
    return not name.startswith(_BEFORE_ROUTES)


def _move_in(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)


def _resources(found: Sequence[Config]) -> Config:
    return {"resources": list(found)}


def _untyped(resource: Config) -> Config:
    return {key: value for key, value in resource.items() if key != "@type"}


def _lines(entries: Mapping[str, Any]) -> str:
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in entries.items()) + "\n}"

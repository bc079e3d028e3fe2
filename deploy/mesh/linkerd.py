"""The table as Linkerd's resources."""

from deploy.mesh.calls import CALLEES, CALLS, Callee, allows
from deploy.mesh.istio import NAMESPACE
from ops.gateway.typed import Config

_POLICY = "policy.linkerd.io"
_PROTOCOLS = {"http": "HTTP/1", "grpc": "gRPC", "tcp": "opaque"}


Atom = tuple[str, str]
"""A method and a path; an empty one is any."""


def resources() -> list[Config]:
    """A Server for each port, refused to everybody but those that the table names; one route for all that the same
    callers may ask."""
    found: list[Config] = []
    for callee in CALLEES:
        found.append(_server(callee))
        for number, (callers, atoms) in enumerate(_by_callers(callee).items()):
            name = f"{callee.name}-{number}"
            found.append(_authentication(name, callers))
            target = {"group": _POLICY, "kind": "Server", "name": callee.name}
            if atoms != [("", "")]:
                found.append(_route(name, callee, atoms))
                target = {"group": _POLICY, "kind": "HTTPRoute", "name": name}
            found.append(_authorisation(name, target))
    return found


def _by_callers(callee: Callee) -> dict[tuple[str, ...], list[Atom]]:
    """What the same callers may ask. A request belongs to the route that fits it best, and to no other: so whoever may
    ask for any path is with each path that is named, too."""
    calls = [call for call in CALLS if call.callee == callee.name]
    atoms = sorted(
        {
            (method, path)
            for call in calls
            for method in call.operation.methods or ("",)
            for path in call.operation.paths or ("",)
        }
    )
    found: dict[tuple[str, ...], list[Atom]] = {}
    for method, path in atoms:
        callers = {one for call in calls if allows(call.operation, method, path) for one in call.callers}
        found.setdefault(tuple(sorted(callers)), []).append((method, path))
    return found


def _resource(kind: str, version: str, name: str, spec: Config) -> Config:
    return {
        "apiVersion": f"{_POLICY}/{version}",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def _server(callee: Callee) -> Config:
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": callee.name}},
        "port": callee.port,
        "proxyProtocol": _PROTOCOLS[callee.protocol],
        "accessPolicy": "deny",
    }
    return _resource("Server", "v1beta3", callee.name, spec)


def _authentication(name: str, callers: tuple[str, ...]) -> Config:
    accounts = [{"kind": "ServiceAccount", "name": caller, "namespace": NAMESPACE} for caller in callers]
    return _resource("MeshTLSAuthentication", "v1alpha1", name, {"identityRefs": accounts})


def _route(name: str, callee: Callee, atoms: list[Atom]) -> Config:
    matches = [{**({"method": method} if method else {}), **(_path(path) if path else {})} for method, path in atoms]
    spec = {
        "parentRefs": [{"group": _POLICY, "kind": "Server", "name": callee.name}],
        "rules": [{"matches": matches}],
    }
    return _resource("HTTPRoute", "v1beta3", name, spec)


def _path(path: str) -> Config:
    kind, value = ("PathPrefix", path[:-1]) if path.endswith("*") else ("Exact", path)
    return {"path": {"type": kind, "value": value}}


def _authorisation(name: str, target: Config) -> Config:
    required = [{"group": _POLICY, "kind": "MeshTLSAuthentication", "name": name}]
    return _resource(
        "AuthorizationPolicy", "v1alpha1", name, {"targetRef": target, "requiredAuthenticationRefs": required}
    )

"""The table as Linkerd's resources."""

from deploy.mesh.calls import CALLEES, CALLS, Callee, allows
from deploy.mesh.places import NAMESPACE, place_of, port_of
from ops.gateway.typed import Config

_POLICY = "policy.linkerd.io"
_PROTOCOLS = {"http": "HTTP/1", "grpc": "gRPC", "tcp": "opaque"}


Atom = tuple[str, str]
"""A method and a path; an empty one is any."""

PROBED = ("/health/live", "/health/ready")
"""What kubelets ask, who have no identity. Anybody may: it is no secret, and the services ask for no token there."""
_PROBES, _ANYWHERE = "probes", ("0.0.0.0/0", "::/0")


def resources() -> list[Config]:
    """A Server for each port, refused to everybody but those that the table names; one route for all that the same
    callers may ask. Where there are routes, Linkerd lets probes through by itself no more: they have a route of their
    own."""
    found = [
        _resource("NetworkAuthentication", "v1alpha1", _PROBES, {"networks": [{"cidr": one} for one in _ANYWHERE]})
    ]
    for callee in CALLEES:
        found.append(_server(callee))
        by_callers = _by_callers(callee)
        if any(path or method for atoms in by_callers.values() for method, path in atoms):
            found += _probes(callee)
        for number, (callers, atoms) in enumerate(by_callers.items()):
            name = f"{callee.name}-{number}"
            found.append(_authentication(name, callers))
            target = {"group": _POLICY, "kind": "Server", "name": callee.name}
            if atoms != [("", "")]:
                found.append(_route(name, callee, atoms))
                target = {"group": _POLICY, "kind": "HTTPRoute", "name": name}
            found.append(_authorisation(name, target, "MeshTLSAuthentication", name))
    return found


def _probes(callee: Callee) -> list[Config]:
    name = f"{callee.name}-probes"
    target = {"group": _POLICY, "kind": "HTTPRoute", "name": name}
    return [
        _route(name, callee, [("GET", path) for path in PROBED]),
        _authorisation(name, target, "NetworkAuthentication", _PROBES),
    ]


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
            if path not in PROBED
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
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": place_of(callee.name).component}},
        "port": port_of(callee.name, callee.port),
        "proxyProtocol": _PROTOCOLS[callee.protocol],
        "accessPolicy": "deny",
    }
    return _resource("Server", "v1beta3", callee.name, spec)


def _authentication(name: str, callers: tuple[str, ...]) -> Config:
    places = [place_of(caller) for caller in callers]
    accounts = [{"kind": "ServiceAccount", "name": one.account, "namespace": one.namespace} for one in places]
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


def _authorisation(name: str, target: Config, kind: str, authentication: str) -> Config:
    required = [{"group": _POLICY, "kind": kind, "name": authentication}]
    return _resource(
        "AuthorizationPolicy", "v1alpha1", name, {"targetRef": target, "requiredAuthenticationRefs": required}
    )

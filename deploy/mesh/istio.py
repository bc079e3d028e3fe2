"""The table as Istio's resources."""

from deploy.mesh.calls import CALLEES, CALLS, Call, Callee
from deploy.mesh.places import NAMESPACE, place_of, port_of
from ops.gateway.typed import Config


def resources() -> list[Config]:
    """mTLS everywhere, nothing allowed but what the table says, and how each callee is to be called."""
    found = [_mutual_tls(), _nothing()]
    for callee in CALLEES:
        found += [_authorisation(callee), _destination(callee)]
        if callee.protocol != "tcp":
            found.append(_traffic(callee))
    return found


def _resource(kind: str, group: str, name: str, spec: Config) -> Config:
    return {
        "apiVersion": f"{group}.istio.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def _mutual_tls() -> Config:
    return _resource("PeerAuthentication", "security", "default", {"mtls": {"mode": "STRICT"}})


def _nothing() -> Config:
    """What no other policy allows is refused."""
    return _resource("AuthorizationPolicy", "security", "nothing", {})


def _authorisation(callee: Callee) -> Config:
    rules = [_rule(callee, call) for call in CALLS if call.callee == callee.name]
    selector = {"matchLabels": {"app.kubernetes.io/component": place_of(callee.name).component}}
    spec = {"selector": selector, "action": "ALLOW", "rules": rules}
    return _resource("AuthorizationPolicy", "security", callee.name, spec)


def _rule(callee: Callee, call: Call) -> Config:
    operation: Config = {"ports": [str(port_of(callee.name, callee.port))]}
    if callee.protocol != "tcp":
        if call.operation.methods:
            operation["methods"] = list(call.operation.methods)
        if call.operation.paths:
            operation["paths"] = list(call.operation.paths)
    places = [place_of(caller) for caller in call.callers]
    principals = [f"cluster.local/ns/{one.namespace}/sa/{one.account}" for one in places]
    return {"from": [{"source": {"principals": principals}}], "to": [{"operation": operation}]}


def _destination(callee: Callee) -> Config:
    pool: Config = {"tcp": {"maxConnections": 1000, "connectTimeout": "1s", "tcpKeepalive": {"time": "30s"}}}
    if callee.protocol == "http":
        # Shorter than the services keep theirs.
        pool["http"] = {"http1MaxPendingRequests": 1000, "idleTimeout": "4s"}
    policy = {
        "tls": {"mode": "ISTIO_MUTUAL"},
        "connectionPool": pool,
        "outlierDetection": {
            "splitExternalLocalOriginErrors": True,
            "consecutiveLocalOriginFailures": 3,
            "consecutiveGatewayErrors": 10,
            "consecutive5xxErrors": 0,
            "interval": "1s",
            "baseEjectionTime": "5s",
            "maxEjectionPercent": 50,
        },
    }
    spec = {"host": _host(callee), "trafficPolicy": policy, "exportTo": ["."]}
    return _resource("DestinationRule", "networking", callee.name, spec)


def _traffic(callee: Callee) -> Config:
    """Only what did not reach the callee is sent again: what is safe beyond that, callers know."""
    route: Config = {
        "route": [{"destination": {"host": _host(callee), "port": {"number": port_of(callee.name, callee.port)}}}]
    }
    route["timeout"] = f"{callee.seconds:g}s"
    route["retries"] = {"attempts": callee.tries}
    if callee.tries:
        route["retries"]["retryOn"] = "connect-failure,refused-stream,reset-before-request"
    return _resource(
        "VirtualService", "networking", callee.name, {"hosts": [_host(callee)], "http": [route], "exportTo": ["."]}
    )


def _host(callee: Callee) -> str:
    return place_of(callee.name).host

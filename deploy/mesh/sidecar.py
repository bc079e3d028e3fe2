"""The table as Envoy's own configuration: a sidecar beside each service, which speaks mTLS with the others' sidecars.

A service asks its own sidecar, on loopback, for another service; it proves by a certificate who it is, and the other
one's sidecar looks up whether it may. Certificates are read again when they are replaced.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from deploy.mesh.calls import CALLS, Callee, Operation
from ops.gateway.options import Endpoint
from ops.gateway.typed import Config, extension, seconds, socket_address, typed

TRUST = "eventfold"
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TLS = "envoy.extensions.transport_sockets.tls.v3"
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_SAFE = "connect-failure,refused-stream,reset-before-request"


def identity(service: str) -> str:
    """What its certificate names."""
    return f"spiffe://{TRUST}/{service}"


class Inbound(Struct, frozen=True):
    """What others ask of this service: its sidecar listens at `listen`, the service itself at `service`."""

    callee: Callee
    listen: Endpoint
    service: Endpoint


class Outbound(Struct, frozen=True):
    """Another service, at its sidecar's address; this one asks for it at `listen`, on loopback."""

    callee: Callee
    listen: Endpoint
    sidecars: tuple[Endpoint, ...]


class Sidecar(Struct, frozen=True):
    """`certificates` has `tls.crt`, `tls.key` and `ca.pem`."""

    service: str
    certificates: PurePosixPath
    admin_port: int
    inbound: tuple[Inbound, ...] = ()
    outbound: tuple[Outbound, ...] = ()


def configuration(sidecar: Sidecar) -> Mapping[str, Config]:
    """Envoy's bootstrap, and the two files of secrets beside the certificates that it names, by their names."""
    listeners = [_inbound(sidecar, one) for one in sidecar.inbound] + [_outbound(one) for one in sidecar.outbound]
    clusters = [_service(one) for one in sidecar.inbound] + [_other(sidecar, one) for one in sidecar.outbound]
    bootstrap = {
        "node": {"id": sidecar.service, "cluster": "mesh"},
        "admin": {"address": socket_address("127.0.0.1", sidecar.admin_port)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }
    return {
        "envoy": bootstrap,
        "identity": {"resources": [_identity(sidecar)]},
        "trust": {"resources": [_trust(sidecar)]},
    }


def _identity(sidecar: Sidecar) -> Config:
    folder = sidecar.certificates
    files = {
        "certificate_chain": {"filename": str(folder / "tls.crt")},
        "private_key": {"filename": str(folder / "tls.key")},
        "watched_directory": {"path": str(folder)},
    }
    return typed(f"{_TLS}.Secret", name="identity", tls_certificate=files)


def _trust(sidecar: Sidecar) -> Config:
    folder = sidecar.certificates
    context = {"trusted_ca": {"filename": str(folder / "ca.pem")}, "watched_directory": {"path": str(folder)}}
    return typed(f"{_TLS}.Secret", name="trust", validation_context=context)


def _certificates(sidecar: Sidecar, peers: list[str]) -> Config:
    """With whom it is spoken: with the certificate of our authority, of one of these `peers`."""

    def secret(name: str) -> Config:
        folder = sidecar.certificates
        source = {"path": str(folder / f"{name}.json"), "watched_directory": {"path": str(folder)}}
        return {"name": name, "sds_config": {"resource_api_version": "V3", "path_config_source": source}}

    names = [{"san_type": "URI", "matcher": {"exact": one}} for one in peers]
    return {
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
        "tls_certificate_sds_secret_configs": [secret("identity")],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": names} if names else {},
            "validation_context_sds_secret_config": secret("trust"),
        },
    }


def _inbound(sidecar: Sidecar, inbound: Inbound) -> Config:
    context = typed(
        f"{_TLS}.DownstreamTlsContext",
        require_client_certificate=True,
        # A connection that goes on by a ticket would outlive the certificate that it began with.
        disable_stateless_session_resumption=True,
        disable_stateful_session_resumption=True,
        common_tls_context={**_certificates(sidecar, []), "alpn_protocols": ["h2", "http/1.1"]},
    )
    name = f"inbound-{inbound.callee.name}"
    if inbound.callee.protocol == "tcp":
        filters = [_network_policy(inbound.callee), _tcp(name)]
    else:
        filters = [_http(name, inbound.callee, [_policy(inbound.callee)])]
    return {
        "name": name,
        "address": socket_address(*inbound.listen),
        "filter_chains": [
            {
                "filters": filters,
                "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
            }
        ],
    }


def _outbound(outbound: Outbound) -> Config:
    name = f"outbound-{outbound.callee.name}"
    filters = [_tcp(name)] if outbound.callee.protocol == "tcp" else [_http(name, outbound.callee, [])]
    return {"name": name, "address": socket_address(*outbound.listen), "filter_chains": [{"filters": filters}]}


def _http(name: str, callee: Callee, before: list[Config]) -> Config:
    is_outbound = name.startswith("outbound")
    route: Config = {"cluster": name, "timeout": seconds(callee.seconds), "idle_timeout": "0s"}
    if is_outbound and callee.tries:
        route["retry_policy"] = {"retry_on": _SAFE, "num_retries": callee.tries}
    fields = ("START_TIME", "PROTOCOL", "RESPONSE_CODE", "RESPONSE_CODE_DETAILS", "DOWNSTREAM_PEER_URI_SAN")
    log = {
        "service": name,
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        **{one.lower(): f"%{one}%" for one in fields},
    }
    return extension(
        "envoy.filters.network.http_connection_manager",
        _MANAGER,
        stat_prefix=name,
        codec_type="AUTO",
        stream_idle_timeout="0s",
        route_config={
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}],
        },
        http_filters=[
            *before,
            extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router"),
        ],
        access_log=[
            extension(
                "envoy.access_loggers.stdout",
                "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                log_format={"json_format": log},
            )
        ],
    )


def _tcp(cluster: str) -> Config:
    return extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=cluster,
        cluster=cluster,
    )


def _policy(callee: Callee) -> Config:
    return extension("envoy.filters.http.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC", rules=_rules(callee))


def _network_policy(callee: Callee) -> Config:
    kind = "envoy.extensions.filters.network.rbac.v3.RBAC"
    return extension("envoy.filters.network.rbac", kind, rules=_rules(callee), stat_prefix=callee.name)


def _rules(callee: Callee) -> Config:
    """Who is not named is refused."""
    calls = [call for call in CALLS if call.callee == callee.name]
    policies = {
        f"{callee.name}-{number}": {
            "principals": [
                {"authenticated": {"principal_name": {"exact": identity(caller)}}} for caller in call.callers
            ],
            "permissions": [_permission(call.operation)],
        }
        for number, call in enumerate(calls)
    }
    return {"action": "ALLOW", "policies": policies}


def _permission(operation: Operation) -> Config:
    rules: list[Config] = []
    if operation.methods:
        methods = [{"header": {"name": ":method", "string_match": {"exact": one}}} for one in operation.methods]
        rules.append({"or_rules": {"rules": methods}})
    if operation.paths:
        rules.append({"or_rules": {"rules": [_path(one) for one in operation.paths]}})
    return {"and_rules": {"rules": rules}} if rules else {"any": True}


def _path(path: str) -> Config:
    match = {"prefix": path[:-1]} if path.endswith("*") else {"exact": path}
    return {"url_path": {"path": match}}


def _service(inbound: Inbound) -> Config:
    return _cluster(f"inbound-{inbound.callee.name}", inbound.callee, (inbound.service,))


def _other(sidecar: Sidecar, outbound: Outbound) -> Config:
    context = typed(
        f"{_TLS}.UpstreamTlsContext",
        common_tls_context=_certificates(sidecar, [identity(outbound.callee.name)]),
        max_session_keys=0,
    )
    return {
        **_cluster(f"outbound-{outbound.callee.name}", outbound.callee, outbound.sidecars),
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 3,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_consecutive_5xx": 0,
            "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 50,
        },
    }


def _cluster(name: str, callee: Callee, endpoints: tuple[Endpoint, ...]) -> Config:
    addresses = [{"endpoint": {"address": socket_address(*one)}} for one in endpoints]
    cluster: Config = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": addresses}]},
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 30, "keepalive_interval": 10}},
        "circuit_breakers": {"thresholds": [{"max_connections": 1000, "max_pending_requests": 1000}]},
    }
    if callee.protocol == "tcp":
        return cluster
    http: Config = {"explicit_http_config": {"http_protocol_options": {}}}
    if callee.protocol == "grpc":
        # A silent connection is given up, so that a cut between two hosts is noticed.
        alive = {"interval": "2s", "timeout": "2s"}
        http = {"explicit_http_config": {"http2_protocol_options": {"connection_keepalive": alive}}}
    else:
        http["common_http_protocol_options"] = {"idle_timeout": "4s"}
    return {**cluster, "typed_extension_protocol_options": {_HTTP: typed(_HTTP, **http)}}

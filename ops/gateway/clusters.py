"""The services behind the gateway in Envoy's words: where they are, how they are watched, when one is left out."""

import ipaddress
from collections.abc import Sequence

from ops.gateway.jwks import JWKS_CLUSTER, jwks_endpoint
from ops.gateway.options import Endpoint, GatewayOptions
from ops.gateway.times import kept_connection
from ops.gateway.typed import Config, seconds, socket_address, typed

TRACES_CLUSTER, ADMIN_CLUSTER = "traces", "admin"
_CLUSTER = "envoy.config.cluster.v3.Cluster"
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(options: GatewayOptions) -> list[Config]:
    """One of each service, and of whom the gateway itself asks."""
    found = [_service(options, name, where) for name, where in options.services.items()]
    keys = jwks_endpoint(options.settings.authentication) if options.settings.authentication.mode == "on" else None
    if keys is not None:
        endpoint, is_tls = keys
        found.append(_plain(JWKS_CLUSTER, [endpoint]) | (_tls(endpoint.host) if is_tls else {}))
    if options.traces is not None:
        found.append(_plain(TRACES_CLUSTER, [options.traces]))
    if options.metrics is not None:
        found.append(_plain(ADMIN_CLUSTER, [Endpoint("127.0.0.1", options.admin_port)]))
    return found


def _plain(name: str, endpoints: Sequence[Endpoint]) -> Config:
    addresses = [{"endpoint": {"address": socket_address(*one)}} for one in endpoints]
    return typed(
        _CLUSTER,
        name=name,
        # A name may stand for every instance.
        type="STATIC" if all(_is_address(one.host) for one in endpoints) else "STRICT_DNS",
        connect_timeout="2s",
        load_assignment={"cluster_name": name, "endpoints": [{"lb_endpoints": addresses}]},
        upstream_connection_options={"tcp_keepalive": {"keepalive_time": 30, "keepalive_interval": 10}},
        per_connection_buffer_limit_bytes=1_048_576,
    )


def _service(options: GatewayOptions, name: str, endpoints: Sequence[Endpoint]) -> Config:
    settings = options.settings
    http = {
        "common_http_protocol_options": {"idle_timeout": seconds(kept_connection(settings))},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {
        **_plain(name, endpoints),
        "lb_policy": "LEAST_REQUEST",
        "typed_extension_protocol_options": {_HTTP: typed(_HTTP, **http)},
        "health_checks": [
            {
                "timeout": "3s",
                "interval": "5s",
                "no_traffic_interval": "5s",
                "interval_jitter": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/health/ready"},
            }
        ],
        "outlier_detection": {
            # A service that says 503 for its store's sake is no outlier until it does so again and again; one that
            # can't be reached is at once.
            "split_external_local_origin_errors": True,
            "consecutive_local_origin_failure": 3,
            "enforcing_consecutive_local_origin_failure": 100,
            "enforcing_local_origin_success_rate": 0,
            "consecutive_gateway_failure": 10,
            "enforcing_consecutive_gateway_failure": 100,
            "enforcing_consecutive_5xx": 0,
            "enforcing_success_rate": 0,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "60s",
            "max_ejection_percent": 50,
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": settings.connections.max_connections,
                    "max_pending_requests": settings.connections.max_connections,
                    "max_requests": 2 * settings.connections.max_connections,
                    "retry_budget": {"budget_percent": {"value": 25.0}, "min_retry_concurrency": 20},
                }
            ]
        },
        # Where none is healthy all are asked: each says best itself what it lacks.
        "common_lb_config": {"healthy_panic_threshold": {"value": 20.0}},
    }


def _tls(host: str) -> Config:
    context = {
        "sni": host,
        "common_tls_context": {
            "validation_context": {
                "trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
            }
        },
    }
    kind = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": typed(kind, **context)}}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

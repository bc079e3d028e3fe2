"""The gateway's doors in Envoy's words: the one for clients, and one where Prometheus reads Envoy's figures alone."""

from ops.gateway.clusters import ADMIN_CLUSTER, TRACES_CLUSTER
from ops.gateway.filters import http_filters, rate_policy
from ops.gateway.options import Endpoint, GatewayOptions
from ops.gateway.problems import local_replies
from ops.gateway.routing import ROUTES
from ops.gateway.times import request_time
from ops.gateway.typed import Config, extension, seconds, socket_address, typed

CERTIFICATE = "certificate"
_LISTENER = "envoy.config.listener.v3.Listener"
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_BUFFER_BYTES = 32_768


def listeners(options: GatewayOptions) -> list[Config]:
    """Raises InvalidGateway where tokens are to be checked and no keys are known."""
    found = [_door(options)]
    if options.metrics is not None:
        found.append(_figures(options.metrics))
    return found


def _door(options: GatewayOptions) -> Config:
    chain: Config = {"filters": [_manager(options)]}
    if options.certificate is not None:
        chain["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": typed(
                "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                common_tls_context={
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                    "tls_certificate_sds_secret_configs": [
                        {"name": CERTIFICATE, "sds_config": from_file(options, CERTIFICATE)}
                    ],
                },
            ),
        }
    return typed(
        _LISTENER,
        name="clients",
        address=socket_address(*options.listen),
        per_connection_buffer_limit_bytes=_BUFFER_BYTES,
        filter_chains=[chain],
    )


def from_file(options: GatewayOptions, name: str) -> Config:
    """A part of the configuration that is read again when its file is replaced by a move."""
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": options.file(name), "watched_directory": {"path": str(options.folder)}},
    }


def _manager(options: GatewayOptions) -> Config:
    settings = options.settings
    head, connections = settings.connections.head_timeout, settings.connections
    fields: Config = {
        "stat_prefix": "clients",
        "codec_type": "AUTO",
        "server_name": "eventfold",
        "rds": {"route_config_name": ROUTES, "config_source": from_file(options, ROUTES)},
        "http_filters": http_filters(settings),
        "local_reply_config": local_replies(rate_policy(settings)),
        "access_log": [_log(options)],
        # Who asks is who connects; X-Forwarded-For says so to the services, whatever stood there before.
        "use_remote_address": True,
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_timeout": seconds(request_time(settings)),
        "request_headers_timeout": seconds(head),
        "stream_idle_timeout": seconds(2 * connections.write_timeout),
        "max_request_headers_kb": max(1, connections.max_head_bytes // 1024),
        "common_http_protocol_options": {
            "idle_timeout": "60s",
            "max_headers_count": connections.max_headers,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http_protocol_options": {},
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "normalize_path": True,
        "merge_slashes": False,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
    }
    if options.traces is not None:
        fields["tracing"] = _tracing(options.traces)
    return extension("envoy.filters.network.http_connection_manager", _MANAGER, **fields)


def _log(options: GatewayOptions) -> Config:
    """One line for each request. The query is left out: a signing link's token is one."""
    fields = {
        "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
        "service": "gateway",
        "event": "request",
        "method": "%REQ(:METHOD)%",
        "route": "%ROUTE_NAME%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "why": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "milliseconds": "%DURATION%",
        "bytes_in": "%BYTES_RECEIVED%",
        "bytes_out": "%BYTES_SENT%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "upstream": "%UPSTREAM_HOST%",
        "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "protocol": "%PROTOCOL%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "correlation_id": "%REQ(X-CORRELATION-ID)%",
        "trace_id": "%TRACE_ID%" if options.traces is not None else "%REQ(TRACEPARENT)%",
    }
    return extension(
        "envoy.access_loggers.stdout",
        "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
        log_format={"json_format": fields},
    )


def _tracing(receiver: Endpoint) -> Config:
    exporter = {
        "http_service": {
            "http_uri": {
                "uri": f"http://{receiver.host}:{receiver.port}/v1/traces",
                "cluster": TRACES_CLUSTER,
                "timeout": "2s",
            }
        },
        "service_name": "gateway",
    }
    return {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": typed("envoy.config.trace.v3.OpenTelemetryConfig", **exporter),
        },
        "spawn_upstream_span": True,
    }


def _figures(endpoint: Endpoint) -> Config:
    """Of the administration nothing else can be reached from outside."""
    route = {
        "match": {"path": "/metrics"},
        "route": {"cluster": ADMIN_CLUSTER, "prefix_rewrite": "/stats/prometheus"},
    }
    return typed(
        _LISTENER,
        name="figures",
        address=socket_address(*endpoint),
        filter_chains=[
            {
                "filters": [
                    extension(
                        "envoy.filters.network.http_connection_manager",
                        _MANAGER,
                        stat_prefix="figures",
                        route_config={
                            "name": "figures",
                            "virtual_hosts": [{"name": "figures", "domains": ["*"], "routes": [route]}],
                        },
                        http_filters=[
                            extension("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
                        ],
                    )
                ]
            }
        ],
    )

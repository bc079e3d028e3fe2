"""What a client may ask of a connection, as options of the gRPC server."""

from dataclasses import dataclass

_MESSAGE_LIMIT = 17 * 2**20


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Times are in seconds. `handshake_timeout` bounds TLS and all that a client says before its first call.
    A client that answers no ping for `ping_timeout` is gone. One that has no call under way for `idle_timeout` is sent
    away; a silent subscription is a call. `max_connections` is for each address that is listened on, `max_calls` for
    each connection."""

    handshake_timeout: float = 10.0
    ping_interval: float = 10.0
    ping_timeout: float = 10.0
    idle_timeout: float = 130.0
    max_connections: int = 1_000
    max_calls: int = 2_000


DEFAULT_LIMITS = ConnectionLimits()


def server_options(limits: ConnectionLimits) -> list[tuple[str, int]]:
    """The options of the gRPC server. Of headers it keeps 16 KiB at most by itself."""
    return [
        ("grpc.so_reuseport", 0),  # a taken port must be an error
        ("grpc.max_receive_message_length", _MESSAGE_LIMIT),
        ("grpc.max_send_message_length", 2 * _MESSAGE_LIMIT),
        ("grpc.keepalive_time_ms", _milliseconds(limits.ping_interval)),
        ("grpc.keepalive_timeout_ms", _milliseconds(limits.ping_timeout)),
        ("grpc.http2.ping_timeout_ms", _milliseconds(limits.ping_timeout)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Clients may ping as often as they like.
        ("grpc.http2.min_ping_interval_without_data_ms", 1),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.server_handshake_timeout_ms", _milliseconds(limits.handshake_timeout)),
        ("grpc.http2.settings_timeout", _milliseconds(limits.handshake_timeout)),
        ("grpc.max_connection_idle_ms", _milliseconds(limits.idle_timeout)),
        ("grpc.max_allowed_incoming_connections", limits.max_connections),
        ("grpc.max_concurrent_streams", limits.max_calls),
    ]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1_000)

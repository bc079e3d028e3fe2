"""When a silent connection is pinged, by the connection string and the settings; the same for gRPC and our reader."""

from typing import Any

from infrastructure.event_store.http2 import KeepAliveTimes

# gRPC's word for never.
_NEVER = 2**31 - 1


def keep_alive_times(options: Any, otherwise: KeepAliveTimes) -> KeepAliveTimes:
    """The times of a connection string's options, which are in milliseconds (a negative interval: no pings); those of
    `otherwise` where it names none."""
    interval = otherwise.interval
    if options.KeepAliveInterval is not None:
        interval = options.KeepAliveInterval / 1000 if options.KeepAliveInterval > 0 else None
    given = options.KeepAliveTimeout
    return KeepAliveTimes(interval, given / 1000 if given is not None and given > 0 else otherwise.timeout)


def channel_options(times: KeepAliveTimes) -> tuple[tuple[str, int], ...]:
    """gRPC's options for these times.

    esdbclient passes the connection string's interval as `grpc.keepalive_ms`, which gRPC does not know. gRPC sets
    TCP_USER_TIMEOUT by the timeout, so what was sent and never acknowledged ends the connection too.
    """
    return (
        ("grpc.keepalive_time_ms", _NEVER if times.interval is None else max(1, round(times.interval * 1000))),
        ("grpc.keepalive_timeout_ms", max(1, round(times.timeout * 1000))),
        ("grpc.keepalive_permit_without_calls", 1),
        # gRPC otherwise stops pinging after two pings between which we sent no data: a subscription sends none at all.
        ("grpc.http2.max_pings_without_data", 0),
    )

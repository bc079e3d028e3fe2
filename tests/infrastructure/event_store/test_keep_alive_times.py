"""When a silent connection is pinged: what the connection string says, else the settings; and what gRPC is told."""

import pytest
from esdbclient import AsyncEventStoreDBClient

from infrastructure.event_store.connection import Connection
from infrastructure.event_store.http2 import KeepAliveTimes
from infrastructure.event_store.keep_alive_times import channel_options, keep_alive_times

SETTINGS = KeepAliveTimes(7.0, 3.0)


@pytest.mark.parametrize(
    ("options", "interval", "timeout"),
    [
        ("", 7, 3),
        ("&KeepAliveInterval=2500&KeepAliveTimeout=500", 2.5, 0.5),
        ("&KeepAliveInterval=2500", 2.5, 3),
        ("&KeepAliveTimeout=500", 7, 0.5),
        ("&KeepAliveInterval=-1", None, 3),
        ("&KeepAliveTimeout=-1", 7, 3),
    ],
)
def test_the_connection_string_goes_before_the_settings(options, interval, timeout):
    client = AsyncEventStoreDBClient(f"esdb://a?Tls=false{options}")
    assert keep_alive_times(client.connection_spec.options, SETTINGS) == KeepAliveTimes(interval, timeout)


def test_grpc_is_told_by_the_names_that_it_knows():
    options = dict(channel_options(KeepAliveTimes(2.5, 0.5)))
    assert options["grpc.keepalive_time_ms"] == 2500
    assert options["grpc.keepalive_timeout_ms"] == 500
    assert options["grpc.http2.max_pings_without_data"] == 0
    assert dict(channel_options(KeepAliveTimes(None, 10)))["grpc.keepalive_time_ms"] == 2**31 - 1


def test_what_esdbclient_tells_grpc_of_it_is_replaced():
    connection = Connection("esdb://a?Tls=false&KeepAliveInterval=2500&KeepAliveTimeout=-1", "auto", SETTINGS)
    options = [(name, value) for name, value in connection._client.grpc_options if "keepalive" in name]
    assert sorted(options) == [
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", 2500),
        ("grpc.keepalive_timeout_ms", 3000),
    ]

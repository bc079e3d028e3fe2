"""The errors of the PersistentSubscriptions service, in the server's words."""

import grpc

from embedded.event_store_node.protocol.errors import RpcError


def failed(stream: str, group: str, reason: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.INTERNAL,
        f"Subscription group {group} on stream {stream} failed: '{reason}'",
        {**_about("failed", stream, group), "reason": reason},
    )


def does_not_exist(stream: str, group: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.NOT_FOUND,
        f"Subscription group {group} on stream {stream} does not exist.",
        _about("does-not-exist", stream, group),
    )


def exists(stream: str, group: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.ALREADY_EXISTS,
        f"Subscription group {group} on stream {stream} exists.",
        _about("exists", stream, group),
    )


def maximum_reached(stream: str, group: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"Maximum subscriptions reached for subscription group {group} on stream {stream}.",
        {**_about("", stream, group), "exception": "maximum-subscribers-reached"},
    )


def dropped(stream: str, group: str) -> RpcError:
    return RpcError(
        grpc.StatusCode.CANCELLED,
        f"Subscription group {group} on stream {stream} was dropped.",
        _about("dropped", stream, group),
    )


def not_ready() -> RpcError:
    return RpcError(grpc.StatusCode.UNAVAILABLE, "Server Is Not Ready")


def invalid(value: object, type_: str) -> RpcError:
    """`type_` is the server's name of the type that a field has."""
    type_ = f"EventStore.Client.PersistentSubscriptions.{type_}"
    return RpcError(grpc.StatusCode.INVALID_ARGUMENT, f"'{value}' is not a valid {type_}")


def _about(what: str, stream: str, group: str) -> dict[str, str]:
    return {"exception": f"persistent-subscription-{what}", "stream-name": stream, "group-name": group}

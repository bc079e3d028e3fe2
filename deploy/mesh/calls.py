"""Who may call whom, and with what: the one table that every policy of the mesh is made of."""

from msgspec import Struct

from ops.locations import (
    COMMAND_API,
    CONSUMERS,
    EVENT_RELAY,
    GATEWAY,
    INBOUND,
    MAIL_SINK,
    PAYMENT_PROVIDER,
    PAYMENT_WEBHOOKS,
    PROCESS_MANAGER,
    PROJECTOR,
    QUERY_API,
    SIGNATURE_PROVIDER,
    SIGNING_PAGE,
)

EVENT_STORE, READ_STORE, PROMETHEUS = "event-store", "read-store", "prometheus"
# Jobs of the chart.
DOCTOR, BACKUPS = "doctor", ("backup-read-store", "backup-key-store")


class Callee(Struct, frozen=True):
    """`protocol` is what is spoken at its port: http, grpc, or tcp, of which a sidecar sees connections alone.
    `seconds` is how long a caller waits for a response; 0 is for ever, `tries` how often one that did not reach it is
    sent again."""

    name: str
    port: int
    protocol: str
    seconds: float = 20.0
    tries: int = 2


class Operation(Struct, frozen=True):
    """Requests of these methods, at paths that are one of these or begin with what stands before a `*`; none of either
    is any."""

    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


class Call(Struct, frozen=True):
    """`callers` may ask this of `callee`."""

    callers: tuple[str, ...]
    callee: str
    operation: Operation = Operation()


_STREAMS = "/event_store.client.streams.Streams"
READ = Operation(
    ("POST",),
    (
        f"{_STREAMS}/Read",
        "/event_store.client.gossip.Gossip/Read",
        "/event_store.client.server_features.ServerFeatures/GetSupportedMethods",
    ),
)
APPEND = Operation(("POST",), (f"{_STREAMS}/Append", f"{_STREAMS}/BatchAppend"))
_COMMANDS = Operation(("PUT", "POST"))
_QUERIES = Operation(("GET", "HEAD"))
_ANY_SERVICE = (
    *(COMMAND_API, QUERY_API, PROJECTOR, CONSUMERS, PROCESS_MANAGER, EVENT_RELAY, INBOUND),
    *(PAYMENT_WEBHOOKS, SIGNING_PAGE),
)

CALLEES = (
    *(Callee(name, 8000, "http") for name in _ANY_SERVICE if name != EVENT_RELAY),
    Callee(EVENT_RELAY, 8000, "http", seconds=0),  # its events are a response that lasts
    Callee(EVENT_STORE, 2113, "grpc", seconds=0),  # so are subscriptions
    Callee(READ_STORE, 27017, "tcp"),
    Callee(PAYMENT_PROVIDER, 8021, "http", tries=0),  # its callers have their own policy
    Callee(SIGNATURE_PROVIDER, 8023, "http", tries=0),
    Callee(MAIL_SINK, 8025, "tcp"),
)

CALLS = (
    Call((GATEWAY,), COMMAND_API, Operation(("PUT", "POST", "OPTIONS"))),
    Call((CONSUMERS, PROCESS_MANAGER, INBOUND, PAYMENT_WEBHOOKS, SIGNING_PAGE), COMMAND_API, _COMMANDS),
    Call((GATEWAY,), QUERY_API, Operation(("GET", "HEAD", "OPTIONS"))),
    Call((SIGNING_PAGE,), QUERY_API, _QUERIES),
    Call((GATEWAY,), EVENT_RELAY, Operation(("GET", "HEAD"), ("/events", "/health/ready"))),
    Call((GATEWAY,), SIGNING_PAGE, Operation(("GET", "HEAD", "POST"))),
    Call((GATEWAY,), PAYMENT_WEBHOOKS, Operation(("POST",))),
    Call((GATEWAY,), PAYMENT_WEBHOOKS, Operation(("GET",), ("/health/ready",))),
    Call((PAYMENT_PROVIDER, SIGNATURE_PROVIDER), PAYMENT_WEBHOOKS, Operation(("POST",))),
    *(Call((PROMETHEUS,), name, Operation(("GET",), ("/metrics",))) for name in _ANY_SERVICE),
    # Commands append their events, processes their steps; whoever has dead letters, what its operators did with them.
    # Who follows the log for a consumer reads; so does who answers from it.
    Call((COMMAND_API, PROCESS_MANAGER, PROJECTOR, CONSUMERS, EVENT_RELAY, INBOUND), EVENT_STORE, APPEND),
    Call((COMMAND_API, QUERY_API, PROJECTOR, CONSUMERS, PROCESS_MANAGER, EVENT_RELAY, INBOUND), EVENT_STORE, READ),
    # The command API has the keys of personal data there.
    Call((COMMAND_API, QUERY_API, PROJECTOR, CONSUMERS, PROCESS_MANAGER, EVENT_RELAY, INBOUND), READ_STORE),
    Call((DOCTOR,), EVENT_STORE, READ),
    Call((DOCTOR, *BACKUPS), READ_STORE),
    Call((CONSUMERS,), PAYMENT_PROVIDER),
    Call((CONSUMERS,), SIGNATURE_PROVIDER),
    Call((CONSUMERS,), MAIL_SINK),
)


def may_call(caller: str, callee: str, method: str, path: str) -> bool:
    """Whether the table allows it."""
    return any(
        caller in call.callers and call.callee == callee and allows(call.operation, method, path) for call in CALLS
    )


def allows(operation: Operation, method: str, path: str) -> bool:
    return (not operation.methods or method in operation.methods) and (
        not operation.paths
        or any(path == one or (one.endswith("*") and path.startswith(one[:-1])) for one in operation.paths)
    )

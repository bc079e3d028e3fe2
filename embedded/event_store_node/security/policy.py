"""What each method of the protocol asks of its caller."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from embedded.event_store_node.security.acl import Action
from embedded.event_store_node.security.stream_access import ALL_STREAM


class Caller(Enum):
    """Who may call a method."""

    ANYBODY = auto()
    USER = auto()
    OPERATOR = auto()


@dataclass(frozen=True, slots=True)
class OnStream:
    """A user who may do something to the stream that the first message of the call names (None: it names none)."""

    action: Action
    stream_of: Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class OnEachStream:
    """A user; each write of the call is checked by itself and refused in its own answer."""


Rule = Caller | OnStream | OnEachStream


def rule_of(method: str) -> Rule:
    """The rule for a method (`/package.Service/Method`); what is not listed is for operators."""
    return _RULES.get(method.removeprefix("/event_store.client."), Caller.OPERATOR)


def _read_stream(request: Any) -> str | None:
    match request.options.WhichOneof("stream_option"):
        case "all":
            return ALL_STREAM
        case "stream":
            return _name(request.options.stream.stream_identifier)
        case _:
            return None


def _written_stream(request: Any) -> str | None:
    return _name(request.options.stream_identifier) if request.HasField("options") else None


def _consumed_stream(request: Any) -> str | None:
    match request.options.WhichOneof("stream_option"):
        case "all":
            return ALL_STREAM
        case "stream_identifier":
            return _name(request.options.stream_identifier)
        case _:
            return None


def _name(identifier: Any) -> str | None:
    name: str = identifier.stream_name.decode(errors="replace")
    return name or None


_RULES: dict[str, Rule] = {
    "streams.Streams/Read": OnStream(Action.READ, _read_stream),
    "streams.Streams/Append": OnStream(Action.WRITE, _written_stream),
    "streams.Streams/BatchAppend": OnEachStream(),
    "streams.Streams/Delete": OnStream(Action.DELETE, _written_stream),
    "streams.Streams/Tombstone": OnStream(Action.DELETE, _written_stream),
    "persistent_subscriptions.PersistentSubscriptions/Read": OnStream(Action.READ, _consumed_stream),
    "persistent_subscriptions.PersistentSubscriptions/GetInfo": Caller.USER,
    "persistent_subscriptions.PersistentSubscriptions/List": Caller.USER,
    "projections.Projections/Create": Caller.USER,
    "projections.Projections/Update": Caller.USER,
    "projections.Projections/Enable": Caller.USER,
    "projections.Projections/Disable": Caller.USER,
    "projections.Projections/Reset": Caller.USER,
    "projections.Projections/State": Caller.USER,
    "projections.Projections/Result": Caller.USER,
    "projections.Projections/Statistics": Caller.USER,
    "gossip.Gossip/Read": Caller.ANYBODY,
    "monitoring.Monitoring/Stats": Caller.ANYBODY,
    "server_features.ServerFeatures/GetSupportedMethods": Caller.ANYBODY,
}

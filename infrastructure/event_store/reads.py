"""Read requests and the events read: translation between our types and the protocol's."""

from typing import Any

from esdbclient.protos.Grpc import shared_pb2, streams_pb2

from infrastructure.event_store.events import StoredEvent
from infrastructure.event_store.stream_metadata import METADATA_TYPE

_EMPTY = shared_pb2.Empty()
_Options = streams_pb2.ReadReq.Options

# Everything but the system's own events (links, configuration, statistics), whose type names begin with a dollar sign.
# Those of them that say what becomes of a stream are read: there is one for each stream that is deleted or cut off.
_FILTER = r"^[^\$].*|^\$metadata$|^\$streamDeleted$"
# Events considered between two checkpoints of a filtered subscription: small enough that an idle log advances.
_WINDOW = 256

_TICKS_PER_MILLISECOND = 10_000


def stream_request(stream: str, from_revision: int | None, limit: int, *, backwards: bool = False) -> Any:
    """A read of one stream, from a revision (inclusive) or from its end where `from_revision` is None."""
    target = _Options.StreamOptions(stream_identifier=shared_pb2.StreamIdentifier(stream_name=stream.encode()))
    if from_revision is None:
        target.end.CopyFrom(_EMPTY)
    else:
        target.revision = from_revision
    options = _options(backwards)
    options.stream.CopyFrom(target)
    options.no_filter.CopyFrom(_EMPTY)
    options.count = limit
    return streams_pb2.ReadReq(options=options)


def all_request(from_position: int | None, limit: int, *, backwards: bool = False, system: bool = False) -> Any:
    """A read of `$all`, from a position or from where the direction begins; without most system events unless
    `system`."""
    options = _options(backwards)
    options.all.CopyFrom(_all_options(from_position, from_end=backwards))
    if system:
        options.no_filter.CopyFrom(_EMPTY)
    else:
        options.filter.CopyFrom(_filter())
    options.count = limit
    return streams_pb2.ReadReq(options=options)


def subscription_request(after: int | None) -> Any:
    """A catch-up subscription to `$all` without most system events, after a position or from the first event."""
    options = _options(backwards=False)
    options.all.CopyFrom(_all_options(after, from_end=False))
    options.filter.CopyFrom(_filter())
    options.subscription.CopyFrom(_Options.SubscriptionOptions())
    return streams_pb2.ReadReq(options=options)


def stored_event(read_event: Any) -> StoredEvent:
    """The event of a ReadResp, links left unresolved. A change of a stream's metadata is an event of that stream."""
    event = read_event.event
    metadata = event.metadata
    event_type, stream = metadata["type"], event.stream_identifier.stream_name.decode()
    if event_type == METADATA_TYPE:
        stream = stream.removeprefix("$$")
    return StoredEvent(
        event.id.string,
        event_type,
        stream,
        event.stream_revision,
        read_event.commit_position,
        int(metadata["created"]) // _TICKS_PER_MILLISECOND,
        event.data,
        event.custom_metadata,
    )


def is_for_us(event: StoredEvent) -> bool:
    """Whether it is none of the system's own events: the filter, which sees types alone, lets the metadata of the
    system's streams through too."""
    return event.type != METADATA_TYPE or not event.stream.startswith("$")


def _options(backwards: bool) -> Any:
    direction = _Options.Backwards if backwards else _Options.Forwards
    return _Options(
        read_direction=direction,
        resolve_links=False,
        uuid_option=_Options.UUIDOption(string=_EMPTY),
    )


def _all_options(position: int | None, *, from_end: bool) -> Any:
    if position is not None:
        at = _Options.Position(commit_position=position, prepare_position=position)
        return _Options.AllOptions(position=at)
    return _Options.AllOptions(end=_EMPTY) if from_end else _Options.AllOptions(start=_EMPTY)


def _filter() -> Any:
    return _Options.FilterOptions(
        event_type=_Options.FilterOptions.Expression(regex=_FILTER),
        max=_WINDOW,
        checkpointIntervalMultiplier=1,
    )

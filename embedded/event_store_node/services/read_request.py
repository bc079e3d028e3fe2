"""What a Read call asks for, checked."""

from dataclasses import dataclass

from esdbclient.protos.Grpc import streams_pb2

from embedded.event_store_node.log.events import MAX_POSITION
from embedded.event_store_node.protocol.errors import handler_failed, invalid_argument
from embedded.event_store_node.protocol.filters import EventFilter, InvalidFilterError, event_filter

_DEFAULT_WINDOW = 32


@dataclass(frozen=True, slots=True)
class Start:
    """From the first event."""


@dataclass(frozen=True, slots=True)
class End:
    """From the end."""


@dataclass(frozen=True, slots=True)
class At:
    """From a revision of a stream or a position of `$all`."""

    number: int


From = Start | End | At


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """
    `stream` is None for `$all`; `limit` is None for a subscription. A subscription with a filter gets a
    checkpoint for every `checkpoint_interval` events looked at.
    """

    stream: str | None
    start: From
    backwards: bool
    limit: int | None
    filter: EventFilter | None
    checkpoint_interval: int
    wants_stream_positions: bool


def parse(options: streams_pb2.ReadReq.Options) -> ReadRequest:
    """
    The request in `options`.

    Raises:
        RpcError: INVALID_ARGUMENT, when an option is missing or options exclude each other; UNKNOWN, when an
            option is incomplete.
    """
    if not options.HasField("uuid_option"):
        raise invalid_argument("the uuid option is missing")
    stream_option = options.WhichOneof("stream_option")
    count_option = options.WhichOneof("count_option")
    filter_option = options.WhichOneof("filter_option")
    if stream_option is None or count_option is None or filter_option is None:
        raise invalid_argument("a read needs a stream option, a count option and a filter option")
    is_subscription = count_option == "subscription"
    backwards = options.read_direction == streams_pb2.ReadReq.Options.Backwards
    combination = (stream_option, count_option, "Backwards" if backwards else "Forwards", filter_option)
    if (is_subscription and backwards) or (stream_option == "stream" and filter_option == "filter"):
        raise invalid_argument(f"The combination of ({', '.join(combination)}) is invalid.")
    return ReadRequest(
        stream=_stream_name(options) if stream_option == "stream" else None,
        start=_stream_start(options) if stream_option == "stream" else _all_start(options),
        backwards=backwards,
        limit=None if is_subscription else options.count,
        filter=_filter(options) if filter_option == "filter" else None,
        checkpoint_interval=_checkpoint_interval(options) if filter_option == "filter" else 0,
        wants_stream_positions=options.control_option.compatibility >= 1,
    )


def _stream_name(options: streams_pb2.ReadReq.Options) -> str:
    name = options.stream.stream_identifier.stream_name.decode(errors="replace")
    if not name:
        raise handler_failed()
    return name


def _stream_start(options: streams_pb2.ReadReq.Options) -> From:
    match options.stream.WhichOneof("revision_option"):
        case "revision":
            return At(min(options.stream.revision, MAX_POSITION))
        case "start":
            return Start()
        case "end":
            return End()
        case _:
            raise handler_failed()


def _all_start(options: streams_pb2.ReadReq.Options) -> From:
    match options.all.WhichOneof("all_option"):
        case "position":
            return At(min(options.all.position.commit_position, MAX_POSITION))
        case "start":
            return Start()
        case "end":
            return End()
        case _:
            raise handler_failed()


def _filter(options: streams_pb2.ReadReq.Options) -> EventFilter:
    try:
        return event_filter(options.filter)
    except InvalidFilterError as error:
        raise invalid_argument(str(error)) from None


def _checkpoint_interval(options: streams_pb2.ReadReq.Options) -> int:
    match options.filter.WhichOneof("window"):
        case "max":
            window = options.filter.max
        case "count":
            window = _DEFAULT_WINDOW
        case _:
            raise invalid_argument("the filter's window is missing")
    if options.WhichOneof("count_option") != "subscription":
        return 0
    if options.filter.checkpointIntervalMultiplier == 0:
        raise invalid_argument("the checkpoint interval multiplier must be above zero")
    return max(1, window * options.filter.checkpointIntervalMultiplier)

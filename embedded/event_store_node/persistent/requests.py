"""What Create and Update calls ask for, as definitions."""

from esdbclient.protos.Grpc import persistent_pb2

from embedded.event_store_node.persistent import errors
from embedded.event_store_node.persistent.definition import ALL, Definition, FilterDefinition, Settings
from embedded.event_store_node.protocol.errors import handler_failed
from embedded.event_store_node.protocol.filters import InvalidFilterError

CreateReq = persistent_pb2.CreateReq
UpdateReq = persistent_pb2.UpdateReq
AnySettings = CreateReq.Settings | UpdateReq.Settings

_TICKS_PER_MILLISECOND = 10_000
# Infos give milliseconds in 32 bits; old clients may ask for a longer time in ticks.
_MAX_MILLISECONDS = 2**31 - 1


def created(options: CreateReq.Options) -> Definition:
    """
    The group that a Create call defines.

    Raises:
        RpcError: the request can't be understood.
    """
    settings = options.settings
    # Clients before 22.10 name one of the first three by number.
    strategy = settings.consumer_strategy or _strategy(settings.named_consumer_strategy)
    # The server reads the start and the filter before it looks at the stream's name.
    return Definition(
        start=_start(options, "CreateReq"),
        filter=_filter(options.all) if options.WhichOneof("stream_option") == "all" else None,
        stream=_stream(options),
        group=options.group_name,
        settings=_settings(settings, strategy),
    )


def updated(options: UpdateReq.Options) -> Definition:
    """
    The group as an Update call wants it; the filter is not part of it.

    Raises:
        RpcError: the request can't be understood.
    """
    return Definition(
        start=_start(options, "UpdateReq"),
        stream=_stream(options),
        group=options.group_name,
        settings=_settings(options.settings, _strategy(options.settings.named_consumer_strategy)),
    )


def _strategy(number: int) -> str:
    return {0: "DispatchToSingle", 1: "RoundRobin", 2: "Pinned"}.get(number, str(number))


def _stream(options: CreateReq.Options | UpdateReq.Options) -> str:
    match options.WhichOneof("stream_option"):
        case "all":
            return ALL
        case "stream":
            name = options.stream.stream_identifier.stream_name
        case _:  # clients before 21.10
            name = options.stream_identifier.stream_name
    return checked_stream(name, options.group_name)


def checked_stream(name: bytes, group: str) -> str:
    """
    A stream's name, which is not `$all`.

    Raises:
        RpcError: INTERNAL, in the server's words.
    """
    stream = name.decode(errors="replace")
    if not stream:
        raise errors.failed(stream, group, "Bad stream name.")
    if stream == ALL:
        reason = "Persistent subscriptions to $all are only supported over gRPC through gRPC clients"
        raise errors.failed(stream, group, reason)
    return stream


def _start(options: CreateReq.Options | UpdateReq.Options, request: str) -> str:
    match options.WhichOneof("stream_option"):
        case "all":
            return _all_start(options.all, request)
        case "stream":
            return _stream_start(options.stream, request)
        case _:
            return str(_signed(options.settings.revision))


def _stream_start(options: CreateReq.StreamOptions | UpdateReq.StreamOptions, request: str) -> str:
    match options.WhichOneof("revision_option"):
        case "revision":
            return str(_signed(options.revision))
        case "start":
            return "0"
        case "end":
            return "-1"
        case _:
            raise errors.invalid("None", f"{request}+Types+StreamOptions+RevisionOptionOneofCase")


def _all_start(options: CreateReq.AllOptions | UpdateReq.AllOptions, request: str) -> str:
    match options.WhichOneof("all_option"):
        case "position":
            commit, prepare = options.position.commit_position, options.position.prepare_position
            if commit < prepare:
                raise handler_failed()
            return f"C:{_signed(commit)}/P:{_signed(prepare)}"
        case "start":
            return "C:0/P:0"
        case "end":
            return "C:-1/P:-1"
        case _:
            if request == "UpdateReq":
                raise handler_failed()
            raise errors.invalid("None", f"{request}+Types+AllOptions+AllOptionOneofCase")


def _filter(options: CreateReq.AllOptions) -> FilterDefinition | None:
    if options.WhichOneof("filter_option") != "filter":
        return None
    match options.filter.WhichOneof("filter"):
        case "event_type":
            expression, by_type = options.filter.event_type, True
        case "stream_identifier":
            expression, by_type = options.filter.stream_identifier, False
        case _:
            raise errors.invalid("None", "CreateReq+Types+AllOptions+Types+FilterOptions+FilterOneofCase")
    definition = FilterDefinition(by_type, expression.regex, () if expression.regex else tuple(expression.prefix))
    try:
        definition.build()
    except InvalidFilterError:
        raise handler_failed() from None
    return definition


def _settings(settings: AnySettings, strategy: str) -> Settings:
    return Settings(
        resolve_links=settings.resolve_links,
        extra_statistics=settings.extra_statistics,
        message_timeout_ms=settings.message_timeout_ms or _milliseconds(settings.message_timeout_ticks),
        max_retry_count=settings.max_retry_count,
        min_checkpoint_count=settings.min_checkpoint_count,
        max_checkpoint_count=settings.max_checkpoint_count,
        checkpoint_after_ms=settings.checkpoint_after_ms or _milliseconds(settings.checkpoint_after_ticks),
        max_subscriber_count=settings.max_subscriber_count,
        live_buffer_size=settings.live_buffer_size,
        read_batch_size=settings.read_batch_size,
        history_buffer_size=settings.history_buffer_size,
        strategy=strategy,
    )


def _milliseconds(ticks: int) -> int:
    return max(-_MAX_MILLISECONDS, min(ticks // _TICKS_PER_MILLISECOND, _MAX_MILLISECONDS))


def _signed(number: int) -> int:
    """
    Unsigned on the wire; the highest value means the end.

    Raises:
        RpcError: UNKNOWN, no other value is that high.
    """
    if number == 2**64 - 1:
        return -1
    if number >= 2**63:
        raise handler_failed()
    return number

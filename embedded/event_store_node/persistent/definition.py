"""What a client defines a group to be: its source, its start and its settings."""

from dataclasses import dataclass

from esdbclient.protos.Grpc import streams_pb2

from embedded.event_store_node.protocol.filters import EventFilter, event_filter

ALL = "$all"

FilterOptions = streams_pb2.ReadReq.Options.FilterOptions


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a group delivers. Times are in milliseconds; a `checkpoint_after_ms` of 0 means never by time, a
    `max_subscriber_count` of 0 no limit.
    """

    resolve_links: bool
    extra_statistics: bool
    message_timeout_ms: int
    max_retry_count: int
    min_checkpoint_count: int
    max_checkpoint_count: int
    checkpoint_after_ms: int
    max_subscriber_count: int
    live_buffer_size: int
    read_batch_size: int
    history_buffer_size: int
    strategy: str


@dataclass(frozen=True, slots=True)
class FilterDefinition:
    """A filter of `$all` by event type or by stream name: by `regex` unless it is empty, else by prefixes."""

    by_type: bool
    regex: str
    prefixes: tuple[str, ...]

    def build(self) -> EventFilter:
        """
        The filter itself.

        Raises:
            InvalidFilterError: the regular expression is malformed.
        """
        expression = FilterOptions.Expression(regex=self.regex, prefix=self.prefixes)
        if self.by_type:
            return event_filter(FilterOptions(event_type=expression))
        return event_filter(FilterOptions(stream_identifier=expression))


@dataclass(frozen=True, slots=True)
class Definition:
    """
    A group on a stream or on `$all`. `start` is the first position to deliver, as infos show it: a revision or
    `C:n/P:n`, with -1 for the end. `end` is then where the source ended when the group was defined, so that a
    group without a checkpoint takes up there after a restart.
    """

    stream: str
    group: str
    start: str
    settings: Settings
    filter: FilterDefinition | None = None
    end: int | None = None

    @property
    def key(self) -> str:
        return f"{self.stream}::{self.group}"

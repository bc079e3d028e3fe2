"""Server-side filters of `$all`: by event type or stream name, by regular expression or prefixes."""

import re
from collections.abc import Callable

from esdbclient.protos.Grpc import streams_pb2

from embedded.event_store_node.dotnet_regex import UnknownCategoryError, translated
from embedded.event_store_node.events import LoggedEvent

_MAX_CACHED_VERDICTS = 10_000


class InvalidFilterError(ValueError):
    """The filter cannot be applied; the message says why."""


class EventFilter:
    """Accepts events by one of their names; the verdict on each name is remembered."""

    def __init__(self, by_type: bool, matches: Callable[[str], bool]) -> None:
        self._by_type = by_type
        self._matches = matches
        self._verdicts: dict[str, bool] = {}

    def accepts(self, event: LoggedEvent) -> bool:
        name = event.type if self._by_type else event.stream
        verdict = self._verdicts.get(name)
        if verdict is None:
            if len(self._verdicts) >= _MAX_CACHED_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[name] = self._matches(name)
        return verdict


def event_filter(options: streams_pb2.ReadReq.Options.FilterOptions) -> EventFilter:
    """
    The filter that a request asks for.

    Raises:
        InvalidFilterError: it names neither events nor streams, or its regular expression is malformed.
    """
    match options.WhichOneof("filter"):
        case "event_type":
            return EventFilter(True, _matcher(options.event_type.regex, tuple(options.event_type.prefix)))
        case "stream_identifier":
            expression = options.stream_identifier
            return EventFilter(False, _matcher(expression.regex, tuple(expression.prefix)))
        case _:
            raise InvalidFilterError("a filter needs an event type or a stream name expression")


def _matcher(regex: str, prefixes: tuple[str, ...]) -> Callable[[str], bool]:
    if not regex:
        return lambda name: name.startswith(prefixes)
    try:
        search = re.compile(translated(regex)).search
    except (re.error, UnknownCategoryError) as error:
        raise InvalidFilterError(f"'{regex}' is not a valid regular expression: {error}") from None
    return lambda name: search(name) is not None

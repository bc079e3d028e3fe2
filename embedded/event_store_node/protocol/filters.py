"""Server-side filters of `$all`: by event type or stream name, by regular expression or prefixes."""

import time
from collections.abc import Sequence
from weakref import WeakValueDictionary

from esdbclient.protos.Grpc import streams_pb2

from embedded.event_store_node.log.events import LoggedEvent
from embedded.event_store_node.protocol.dotnet_regex import InvalidRegexError
from embedded.event_store_node.protocol.matching import Matches, prefix_matcher, regex_matcher

_MAX_CACHED_VERDICTS = 10_000
# How long events are looked at in one turn of the loop.
SECONDS_AT_ONCE = 0.005
_SHOWN = 200

_in_use: "WeakValueDictionary[tuple[bool, str, tuple[str, ...]], EventFilter]" = WeakValueDictionary()


class InvalidFilterError(ValueError):
    """The filter cannot be applied; the message says why."""


class EventFilter:
    """
    Accepts events by one of their names; the verdict on each name is remembered. Equal requests share a filter while
    it is in use, and so the look at each event.
    """

    def __init__(self, by_type: bool, matches: Matches) -> None:
        self._by_type = by_type
        self._matches = matches
        self._verdicts: dict[str, bool] = {}
        self._last_looked_at: LoggedEvent | None = None
        self._last_count = 0
        self._last_had_some = False

    def accepts(self, event: LoggedEvent) -> bool:
        name = event.type if self._by_type else event.stream
        verdict = self._verdicts.get(name)
        if verdict is None:
            if len(self._verdicts) >= _MAX_CACHED_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[name] = self._matches(name)
        return verdict

    def accepts_any(self, events: Sequence[LoggedEvent]) -> bool:
        """
        Whether `$all` shows some of these events, which follow one another in the log, through the filter, or may
        show some: it is not found out at any length, for this is asked while events are published. Looked up once
        for all who ask in turn.
        """
        if self._last_looked_at is not events[-1] or self._last_count != len(events):
            self._last_looked_at, self._last_count = events[-1], len(events)
            self._last_had_some = self._finds_some(events)
        return self._last_had_some

    def _finds_some(self, events: Sequence[LoggedEvent]) -> bool:
        until = time.monotonic() + SECONDS_AT_ONCE
        return any(event.in_all and (self.accepts(event) or time.monotonic() >= until) for event in events)


def event_filter(options: streams_pb2.ReadReq.Options.FilterOptions) -> EventFilter:
    """
    The filter that a request asks for.

    Raises:
        InvalidFilterError: it names neither events nor streams, or its regular expression is malformed.
    """
    match options.WhichOneof("filter"):
        case "event_type":
            return _shared(True, options.event_type)
        case "stream_identifier":
            return _shared(False, options.stream_identifier)
        case _:
            raise InvalidFilterError("a filter needs an event type or a stream name expression")


def _shared(by_type: bool, expression: streams_pb2.ReadReq.Options.FilterOptions.Expression) -> EventFilter:
    key = (by_type, expression.regex, tuple(expression.prefix))
    known = _in_use.get(key)
    if known is None:
        known = _in_use[key] = EventFilter(by_type, _matcher(expression.regex, tuple(expression.prefix)))
    return known


def _matcher(regex: str, prefixes: tuple[str, ...]) -> Matches:
    try:
        return regex_matcher(regex) if regex else prefix_matcher(prefixes)
    except InvalidRegexError as error:
        what = f"'{_shortened(regex)}' is not a regular expression that can be used" if regex else "too many prefixes"
        raise InvalidFilterError(f"{what}: {error}") from None


def _shortened(regex: str) -> str:
    return regex if len(regex) <= _SHOWN else f"{regex[:_SHOWN]}..."

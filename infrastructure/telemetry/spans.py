"""Spans, as all of our code makes them; while tracing is off there are none, and nothing is done for them.

Two kinds of them: one that begins something here (`begin_span`: a request that came in, an event that is handled), and
one for a part of that (`child_span`: a call to a store, say), which is made only where its parent is recorded.

What an exception says never gets into a span, for it may quote what somebody sent; only its kind does.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode, Tracer

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]

ERROR_TYPE: Final = "error.type"
ABANDONED: Final = "abandoned"


class _Nothing(AbstractContextManager[Span]):
    __slots__ = ()

    def __enter__(self) -> Span:
        return INVALID_SPAN

    def __exit__(self, *_error: object) -> None:
        return None


class _Current(AbstractContextManager[Span]):
    """A span that is the current one for the block, and ends with it. `refusals` are exceptions that are answers."""

    __slots__ = ("_refusals", "_span", "_token")
    _token: Token[Context]

    def __init__(self, span: Span, refusals: tuple[type[Exception], ...]) -> None:
        self._span = span
        self._refusals = refusals

    def __enter__(self) -> Span:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        context.detach(self._token)
        if kind is not None and self._span.is_recording():
            self._span.set_attribute(ERROR_TYPE, kind.__qualname__)
            if not issubclass(kind, self._refusals):
                self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class _Apart(AbstractContextManager[Span]):
    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._span.set_attribute(ERROR_TYPE, ABANDONED if kind is GeneratorExit else kind.__qualname__)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


NOTHING: Final[AbstractContextManager[Span]] = _Nothing()
"""No span: what is done with it has no effect."""
_tracer: Tracer | None = None


def use_tracer(tracer: Tracer | None) -> None:
    """All spans of this process are made by this tracer from now on; with None tracing is off, as at the start."""
    global _tracer
    _tracer = tracer


def is_tracing() -> bool:
    """Whether there are any spans."""
    return _tracer is not None


def is_recording() -> bool:
    """Whether the current span is recorded: asked before attributes are made that nobody may want."""
    return _tracer is not None and trace.get_current_span().is_recording()


def begin_span(
    name: str,
    kind: SpanKind,
    attributes: Attributes | None = None,
    *,
    parent: Context | None = None,
    links: Sequence[Link] = (),
    refusals: tuple[type[Exception], ...] = (),
) -> AbstractContextManager[Span]:
    """A span for the block that continues `parent`, or begins a trace of its own; whatever the current span is."""
    if _tracer is None:
        return NOTHING
    span = _tracer.start_span(name, parent or Context(), kind, attributes, links)
    return _Current(span, refusals)


def span_apart(
    name: str, kind: SpanKind, attributes: Attributes | None = None, *, parent: Context | None = None
) -> AbstractContextManager[Span]:
    """As `begin_span`, but never the current one, so that other work may come in between, as where a generator waits in
    the block: what belongs to it has `parent=within(span)`. Where the generator is not gone on with, it ends as
    ABANDONED."""
    return NOTHING if _tracer is None else _Apart(_tracer.start_span(name, parent or Context(), kind, attributes))


def within(span: Span) -> Context:
    """The parent to name in what belongs to this span."""
    return trace.set_span_in_context(span, Context())


def child_span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    *,
    refusals: tuple[type[Exception], ...] = (),
) -> AbstractContextManager[Span]:
    """A span for the block within the current one; nothing where that is not recorded, or there is none."""
    if _tracer is None or not is_recording():
        return NOTHING
    return _Current(_tracer.start_span(name, None, kind, attributes), refusals)


def note(attributes: Attributes) -> None:
    """Adds to the current span, if there is one that is recorded."""
    if is_recording():
        trace.get_current_span().set_attributes(attributes)

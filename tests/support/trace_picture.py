"""A trace as a picture: one bar a span, below its parent, as viewers of traces show it."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

from tests.support.otlp_receiver import ReceivedSpan

_WIDTH, _ROW, _LEFT, _TOP = 1180, 17, 560, 46
_COLOURS = ("#3b6ea5", "#c2703d", "#4a8f5b", "#8a5aa8", "#b03a48", "#6b6b6b")


def picture(
    spans: Sequence[ReceivedSpan], title: str, shown: Callable[[ReceivedSpan], bool] = lambda _span: True
) -> str:
    """The trace as SVG; what is not `shown` is left out with all below it."""
    rows = list(_in_order(spans, shown))
    begin, end = min(span.start for _, span in rows), max(span.end for _, span in rows)
    services = list(dict.fromkeys(span.service for _, span in rows))
    colours = dict(zip(services, _COLOURS, strict=False))
    height = _TOP + _ROW * len(rows) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="16" font-size="13" font-weight="bold">{escape(title)}</text>',
    ]
    for number, service in enumerate(services):
        left = 8 + number * 190
        name = escape(service.removeprefix("eventfold-"))
        parts.append(f'<rect x="{left}" y="25" width="10" height="10" fill="{colours[service]}"/>')
        parts.append(f'<text x="{left + 14}" y="34">{name}</text>')
    scale = (_WIDTH - _LEFT - 70) / max(1, end - begin)
    for number, (depth, span) in enumerate(rows):
        y, x = _TOP + number * _ROW, _LEFT + (span.start - begin) * scale
        width = max(1.5, (span.end - span.start) * scale)
        took = f"{(span.end - span.start) / 1e6:.1f} ms"
        parts.append(f'<text x="{8 + depth * 11}" y="{y + 11}">{escape(span.name)}</text>')
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 5}" fill="{colours[span.service]}"/>'
        )
        parts.append(f'<text x="{x + width + 4:.1f}" y="{y + 11}" fill="#666">{took}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _in_order(
    spans: Sequence[ReceivedSpan], shown: Callable[[ReceivedSpan], bool]
) -> Iterator[tuple[int, ReceivedSpan]]:
    known, children = {span.id for span in spans}, dict[str, list[ReceivedSpan]]()
    for span in sorted(spans, key=lambda one: one.start):
        children.setdefault(span.parent if span.parent in known else "", []).append(span)

    def below(parent: str, depth: int) -> Iterator[tuple[int, ReceivedSpan]]:
        for span in children.get(parent, ()):
            if shown(span):
                yield depth, span
                yield from below(span.id, depth + 1)

    return below("", 0)

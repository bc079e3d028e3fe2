"""Draws a panel of a dashboard as SVG, from what Prometheus holds:

python -m deploy.grafana.picture http://127.0.0.1:9090 commands "Time of an append" append.svg
"""

import argparse
import math
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
from msgspec import Struct

from deploy.grafana.boards import DASHBOARDS
from deploy.grafana.panels import Panel

_WIDTH, _HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 44, 62
_COLOURS = ("#2f7ed8", "#e07b00", "#2e8b57", "#b03060", "#7b5ea7", "#8a6d3b", "#008b8b", "#555555")
_STEPS = 120
_MOST_POINTS = 100


class Line(Struct, frozen=True):
    """One series: times in epoch seconds, and values."""

    name: str
    points: Sequence[tuple[float, float]]


class Point(Struct, frozen=True):
    """An exemplar: one request, with the id of its trace."""

    at: float
    value: float
    trace_id: str


def lines_of(prometheus: str, panel: Panel, start: float, end: float) -> list[Line]:
    """The panel's series, each with at least one value."""
    step = f"{max(1.0, (end - start) / _STEPS):g}"
    lines = []
    for query in panel.queries:
        asked = {"query": query.expr, "start": f"{start}", "end": f"{end}", "step": step}
        for series in _ask(prometheus, "query_range", asked)["result"]:
            points = [(at, float(value)) for at, value in series["values"] if not math.isnan(float(value))]
            name = query.legend
            for label, value in series["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            if points:
                lines.append(Line(name, points))
    return lines


def points_of(prometheus: str, panel: Panel, start: float, end: float) -> list[Point]:
    """The panel's exemplars."""
    found = {
        (exemplar["timestamp"], float(exemplar["value"]), exemplar["labels"]["trace_id"])
        for query in panel.queries
        for series in _ask(prometheus, "query_exemplars", {"query": query.expr, "start": f"{start}", "end": f"{end}"})
        for exemplar in series["exemplars"]
    }
    return [Point(*one) for one in sorted(found)]


def svg(panel: Panel, lines: Sequence[Line], points: Sequence[Point]) -> str:
    """The picture. Raises ValueError when there is nothing to draw."""
    if not lines:
        raise ValueError(f"Prometheus holds nothing of {panel.title!r}")
    times = [at for line in lines for at, _ in line.points]
    start, end = min(times), max(max(times), min(times) + 1)
    points = _thinned([one for one in points if start <= one.at <= end], (end - start) / _MOST_POINTS)
    top = _round_up(max([value for line in lines for _, value in line.points] + [one.value for one in points]))

    def x(at: float) -> float:
        return _LEFT + (at - start) / (end - start) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="15" font-weight="bold">{escape(panel.title)}</text>',
        f'<text x="{_LEFT}" y="36" fill="#666666" font-size="11">{escape(panel.description)}</text>',
    ]
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        at = y(fraction * top)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        label = _in_unit(fraction * top, panel.unit)
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" fill="#666666">{label}</text>')
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        at = start + fraction * (end - start)
        label = f"{at - start:.0f} s"
        parts.append(
            f'<text x="{x(at):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle" fill="#666666">{label}</text>'
        )
    for index, line in enumerate(lines):
        colour = _COLOURS[index % len(_COLOURS)]
        drawn = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line.points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        left = _LEFT + index * 150
        parts.append(f'<rect x="{left}" y="{_HEIGHT - 24}" width="12" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18}" y="{_HEIGHT - 18}">{escape(line.name)}</text>')
    for one in points:
        title = f"<title>trace {escape(one.trace_id)}</title>"
        where = f'cx="{x(one.at):.1f}" cy="{y(one.value):.1f}"'
        parts.append(f'<circle {where} r="2.6" fill="#888888" fill-opacity="0.7">{title}</circle>')
    return "\n".join([*parts, "</svg>", ""])


def _thinned(points: Sequence[Point], seconds: float) -> list[Point]:
    """Of each stretch of so many seconds the largest."""
    largest: dict[int, Point] = {}
    for one in points:
        stretch = int(one.at / seconds)
        if stretch not in largest or one.value > largest[stretch].value:
            largest[stretch] = one
    return list(largest.values())


def _round_up(value: float) -> float:
    """To 1, 2 or 5 and zeros."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(one * power for one in (1, 2, 5, 10) if one * power >= value)


def _in_unit(value: float, unit: str) -> str:
    if unit == "s" and value < 1:
        return f"{value * 1000:g} ms"
    return f"{value:g} s" if unit == "s" else f"{value:g}"


def _ask(prometheus: str, path: str, parameters: dict[str, str]) -> Any:
    with urlopen(f"{prometheus}/api/v1/{path}?{urlencode(parameters)}") as response:  # noqa: S310 - whom the user names
        return msgspec.json.decode(response.read())["data"]


def main() -> None:
    """Draws what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m deploy.grafana.picture")
    parser.add_argument("prometheus", help="its URL")
    parser.add_argument("dashboard", choices=[one.uid.removeprefix("eventfold-") for one in DASHBOARDS])
    parser.add_argument("panel", help="its title")
    parser.add_argument("file", type=Path, help="where the SVG goes")
    parser.add_argument("--minutes", type=float, default=15.0, help="how far back (default: %(default)g)")
    arguments = parser.parse_args()
    (board,) = (one for one in DASHBOARDS if one.uid == f"eventfold-{arguments.dashboard}")
    panels = {one.title: one for one in board.panels}
    if arguments.panel not in panels:
        parser.error(f"{arguments.dashboard} has no panel {arguments.panel!r}, only {', '.join(panels)}")
    panel, end = panels[arguments.panel], time.time()
    span = (end - 60 * arguments.minutes, end)
    arguments.file.write_text(
        svg(panel, lines_of(arguments.prometheus, panel, *span), points_of(arguments.prometheus, panel, *span))
    )


if __name__ == "__main__":
    main()

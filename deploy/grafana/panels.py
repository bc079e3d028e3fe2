"""What dashboards are made of: a panel is a title, what it says, its queries and its unit; the rest follows."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
WIDTH = 24
"""Of a dashboard, in Grafana's columns."""


class Query(Struct, frozen=True):
    """`expr` is PromQL, `legend` how each of its series is called: Prometheus's labels in double braces."""

    expr: str
    legend: str


class Panel(Struct, frozen=True):
    """One graph, or with `kind` stat the latest values in large. `unit` is one of Grafana's. From each of the
    `thresholds` on a value is coloured: red from the last one, orange from one before that."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str
    kind: str = "timeseries"
    thresholds: Sequence[float] = ()


class Dashboard(Struct, frozen=True):
    """`rows` are panels side by side, of equal width; `text`, where there is some, stands above them in Markdown."""

    uid: str
    title: str
    description: str
    rows: Sequence[Sequence[Panel]]
    text: str = ""

    @property
    def panels(self) -> list[Panel]:
        return [panel for row in self.rows for panel in row]


def as_json(dashboard: Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana provisions it."""
    panels: list[dict[str, Any]] = []
    y = 0
    if dashboard.text:
        panels.append(_text(dashboard.text))
        y = 4
    for row in dashboard.rows:
        width, height = WIDTH // len(row), 5 if row[0].kind == "stat" else 8
        for column, panel in enumerate(row):
            place = {"x": column * width, "y": y, "w": width, "h": height}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_panel(panel)})
        y += height
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["eventfold"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "links": [
            {
                "type": "dashboards",
                "tags": ["eventfold"],
                "title": "Eventfold",
                "asDropdown": True,
                "includeVars": True,
            },
            {"type": "link", "title": "Traces", "url": "http://127.0.0.1:16686/search", "targetBlank": True},
            {"type": "link", "title": "Alerts", "url": "http://127.0.0.1:9093/#/alerts", "targetBlank": True},
        ],
        "templating": {"list": []},
        "annotations": {"list": [_ALERTS]},
        "panels": panels,
    }


_ALERTS = {
    "name": "Alerts",
    "datasource": PROMETHEUS,
    "enable": True,
    "iconColor": "red",
    "expr": 'ALERTS{alertname=~"Eventfold.*",alertstate="firing"}',
    "titleFormat": "{{alertname}}",
}


def _panel(panel: Panel) -> dict[str, Any]:
    colours = ["green", "orange", "red"] if len(panel.thresholds) > 1 else ["green", "red"]
    steps = [{"color": colours[n], "value": bound} for n, bound in enumerate([None, *panel.thresholds])]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": PROMETHEUS,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": PROMETHEUS,
                "expr": query.expr,
                "legendFormat": query.legend,
                # Points that lead to the trace: see exemplarTraceIdDestinations of the data source.
                "exemplar": panel.kind == "timeseries" and "_bucket" in query.expr,
                "instant": panel.kind == "stat",
                "range": panel.kind != "stat",
            }
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": steps},
                **({"noValue": "-"} if panel.kind == "stat" else {"custom": {"fillOpacity": 8, "showPoints": "never"}}),
            },
            "overrides": [],
        },
        "options": _STAT if panel.kind == "stat" else _TIME_SERIES,
    }


_STAT = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value"}
_TIME_SERIES = {
    "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True},
    "tooltip": {"mode": "multi", "sort": "desc"},
}


def _text(content: str) -> dict[str, Any]:
    return {
        "id": 1,
        "type": "text",
        "title": "",
        "gridPos": {"x": 0, "y": 0, "w": WIDTH, "h": 4},
        "options": {"mode": "markdown", "content": content},
    }

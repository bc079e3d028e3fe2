"""The series that dashboards and rules name, by PromQL's own words."""

import re

import yaml

from deploy.grafana.boards import DASHBOARDS
from tests.support.services import ROOT

_RULES = ROOT / "deploy" / "prometheus"

PROMETHEUS_OWN = frozenset({"up", "ALERTS", "process_resident_memory_bytes", "process_cpu_seconds_total"})
"""Made by Prometheus itself, and by its client for every process."""

_FUNCTIONS = frozenset(
    {
        "sum",
        "by",
        "rate",
        "max",
        "min",
        "count",
        "or",
        "vector",
        "topk",
        "histogram_quantile",
        "deriv",
        "le",
        "and",
        "on",
        "unless",
        "max_over_time",
    }
)


def rules() -> list[dict[str, str]]:
    """Every recording and alert rule."""
    files = [yaml.safe_load((_RULES / name).read_text()) for name in ("recording.yml", "alerts.yml")]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def made_by_rules() -> set[str]:
    """The series that recording rules make."""
    return {rule["record"] for rule in rules() if "record" in rule}


def expressions() -> list[str]:
    """Of every rule and of every panel."""
    panels = [query.expr for dashboard in DASHBOARDS for panel in dashboard.panels for query in panel.queries]
    return [rule["expr"] for rule in rules()] + panels


def selectors(expression: str) -> set[str]:
    """The series that an expression selects, each with its label matchers."""
    plain = re.sub(r"\b(?:by|on) \([^)]*\)|\[\w+\]", " ", expression)
    found = re.findall(r'([a-zA-Z_:][\w:]*)(\{(?:[^}"]|"[^"]*")*\})?', plain)
    return {name + matchers for name, matchers in found if name not in _FUNCTIONS}


def named_series() -> set[str]:
    """The names of all series that some expression selects."""
    return {one.partition("{")[0] for expression in expressions() for one in selectors(expression)}

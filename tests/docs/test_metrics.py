"""Metrics: the README's table of them, how they are named, and where the values of their labels come from."""

import re

import pytest

from deploy.grafana.boards import DASHBOARDS
from tests.support.metrics import Metric, every_metric, table
from tests.support.services import ROOT

LABELS = {
    # Of the application's own lists: there are as many values as it declares.
    "command": "commands of the aggregates",
    "consumer": "views, consumers and processes; sources of messages",
    "process": "processes",
    "route": "templates of routes",
    "step": "steps of a process, without what they concern",
    "view": "views",
    "group": "fingerprints of failures: the five largest groups of a consumer, and `other`",
    # Of the code: words that stand in it.
    "call": "calls to the payment provider",
    "change": "of a lease",
    "dependency": "what policies and guards are called",
    "kind": "of a trigger, of a message",
    "method": "HTTP methods that a route has",
    "next": "what an instance waits for",
    "outcome": "how something ended; of a command, the code of the rule that refused it",
    "python": "one a process",
    "reason": "why a connection was refused or closed, in which class a message failed",
    "source": "where an aggregate was loaded from",
    "state": "of a call: running or waiting",
    "status": "HTTP statuses; running or stuck",
    "version": "one a process",
}
"""Every label that a metric may have, and what its values are: never what a client sends, an id, a path, a header."""

UNITS = ("_seconds", "_bytes", "_total", "_info")
PLAIN_NUMBERS = re.compile(
    r"_(instances|events|messages|subscriptions|letters|calls|connections|documents|leases|cached|waiting|position|in_flight)$"
    r"|_(state|stopped|connected|other_log|accepts_writes|live_build|live_version)$"
)


def test_the_readme_has_every_metric_as_it_is_in_the_code():
    readme = (ROOT / "README.md").read_text()
    documented = readme.split("<!-- metrics -->\n")[1].split("\n\n")[0]
    assert documented == table(), "python -m tests.support.metrics prints the table"


@pytest.mark.parametrize("metric", every_metric(), ids=lambda metric: metric.name)
def test_names_labels_and_meanings(metric: Metric):
    assert re.fullmatch(r"eventfold(_[a-z0-9]+)+", metric.name)
    assert metric.name.endswith(UNITS) or PLAIN_NUMBERS.search(metric.name), "a base unit, or a number of things"
    assert metric.name.endswith("_total") == (metric.type == "counter")
    assert set(metric.labels) <= LABELS.keys()
    assert metric.meaning
    assert "|" not in metric.meaning


def test_documents_name_metrics_that_exist():
    known = {series for metric in every_metric() for series in (metric.name, *metric.series)}
    known.add("eventfold_keys")  # a database
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"\beventfold_[a-z0-9_]+(?![\w*.{])", document.read_text()):
            assert name in known, f"{document.name}: {name}"


def test_dashboards_have_names_units_and_descriptions_of_their_own():
    assert [one.uid for one in DASHBOARDS] == [
        f"eventfold-{name}" for name in ("overview", "commands", "projections", "sagas", "node", "relay", "inbound")
    ]
    for dashboard in DASHBOARDS:
        titles = [panel.title for panel in dashboard.panels]
        assert len(set(titles)) == len(titles)
        assert all(panel.description and panel.unit and panel.queries for panel in dashboard.panels)

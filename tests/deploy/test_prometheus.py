"""deploy/prometheus: it is valid, it names what is there, and each alert fires when it should and no sooner."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.boards import DASHBOARDS
from deploy.grafana.generate import FOLDER, file_of, text_of
from ops.stack.specs import Ports
from tests.deploy.alert_cases import FIRING
from tests.deploy.series import PROMETHEUS_OWN, made_by_rules, named_series
from tests.support.metrics import every_metric
from tests.support.services import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTS = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
RECORDED = yaml.safe_load((PROMETHEUS / "recording.yml").read_text())["groups"][0]["rules"]

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: on Debian, apt-get install prometheus"
)
needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="needs amtool: on Debian, apt-get install prometheus-alertmanager"
)


@needs_promtool
@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus.up.yml"])
def test_promtool_finds_the_configuration_sound(name: str):
    checked = subprocess.run(
        ["promtool", "check", "config", "--lint-fatal", str(PROMETHEUS / name)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_amtool
def test_amtool_finds_the_configuration_sound():
    checked = subprocess.run(
        ["amtool", "check-config", str(PROMETHEUS / "alertmanager.yml")], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_who_is_scraped_is_who_is_there():
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    ports = {name.replace("_", "-"): getattr(Ports(), name) for name in Ports.__dataclass_fields__}
    in_compose, under_up = (_targets(name) for name in ("prometheus.yml", "prometheus.up.yml"))
    assert in_compose.keys() == under_up.keys()
    for service, target in in_compose.items():
        host, _, port = target.partition(":")
        if service == "node":
            assert (host, port) == ("eventstore", compose["eventstore"]["environment"]["EVENTSTORE_NODE_PORT"])
        else:
            variable = f"EVENTFOLD_{service.upper().replace('-', '_')}_PORT_NUMBER"
            assert (host, port) == (service, compose[service]["environment"][variable])
        expected = ports["node-metrics"] if service == "node" else ports[service]
        assert under_up[service] == f"127.0.0.1:{expected}"
    in_files = [(PROMETHEUS / name).read_text() for name in ("prometheus.yml", "prometheus.up.yml")]
    for key in ("global", "rule_files"):
        assert yaml.safe_load(in_files[0])[key] == yaml.safe_load(in_files[1])[key]


def _targets(name: str) -> dict[str, str]:
    jobs = yaml.safe_load((PROMETHEUS / name).read_text())["scrape_configs"]
    return {one["labels"]["service"]: one["targets"][0] for job in jobs for one in job["static_configs"]}


def test_every_series_that_is_named_is_made_by_the_code_or_by_a_rule():
    made = {series for metric in every_metric() for series in metric.series}
    assert named_series() <= made | made_by_rules() | PROMETHEUS_OWN


def test_every_alert_says_what_to_do():
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"].keys() == {"summary", "runbook"}
        for command in re.findall(r"`eventfold ([a-z-]+)", alert["annotations"]["runbook"]):
            assert command in (ROOT / "README.md").read_text(), command


def test_the_documents_have_every_alert():
    documented = re.findall(r"`(Eventfold\w+)`", (ROOT / "docs/observability.md").read_text())
    assert sorted(documented) == sorted(alert["alert"] for alert in ALERTS)


def test_the_dashboards_are_as_the_generator_writes_them():
    assert {file.name for file in FOLDER.iterdir()} == {file_of(one).name for one in DASHBOARDS}
    for dashboard in DASHBOARDS:
        assert file_of(dashboard).read_text() == text_of(dashboard), "python -m deploy.grafana.generate"


def test_every_alert_is_among_them():
    assert [alert["alert"] for alert in ALERTS] == list(FIRING)


@needs_promtool
def test_each_alert_fires_on_what_it_is_for_and_not_on_less(tmp_path: Path):
    cases = []
    for alert, (bad, good) in FIRING.items():
        minutes = "70m" if alert in ("EventfoldSeveralVersions", "EventfoldDestinationPaused") else "18m"
        for series, count in ((bad, 1), (good, 0)):
            cases.append(_case(alert, series, minutes, count))
    # The inbound service has run, and is away.
    cases.append(_case("EventfoldServiceDown", {'up{job="eventfold",service="inbound"}': "1x5 0x15"}, "18m", 1))
    tests = {"rule_files": [str(PROMETHEUS / name) for name in ("recording.yml", "alerts.yml")], "tests": cases}
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump(tests))
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _case(alert: str, series: dict[str, str], at: str, count: int) -> dict[str, Any]:
    fires = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    return {
        "name": f"{alert} {'fires' if count else 'does not fire'}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": fires, "eval_time": at, "exp_samples": [{"labels": "{}", "value": count}]}],
    }

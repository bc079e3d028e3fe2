"""What watches the release: whom Prometheus scrapes, the rules, and the queries that KEDA scales by."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.stack.services import HTTP_SERVICES
from tests.deploy.kubernetes.chart import committed, needs_helm, of_kind, template
from tests.support.metrics import every_metric
from tests.support.services import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool: on Debian, apt-get install prometheus"
)


def test_the_rules_are_those_of_prometheus() -> None:
    (rules,) = of_kind(committed("production"), "PrometheusRule").values()
    groups = [
        group
        for name in ("recording.yml", "alerts.yml")
        for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    ]
    assert rules["spec"]["groups"] == groups


def test_every_service_is_scraped_under_the_labels_that_the_rules_know() -> None:
    manifests = committed("production")
    (monitor,) = of_kind(manifests, "ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    (relabeling,) = endpoint["relabelings"]
    (components,) = monitor["spec"]["selector"]["matchExpressions"]
    label = relabeling["sourceLabels"][0].removeprefix("__meta_kubernetes_service_label_")
    for name, service in of_kind(manifests, "Service").items():
        labels = service["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert labels[components["key"]] in components["values"]
        assert labels[monitor["spec"]["jobLabel"]] == "eventfold"  # job="eventfold"
        # Prometheus writes a label's name with _ for every other character.
        (value,) = (value for key, value in labels.items() if key.replace(".", "_").replace("/", "_") == label)
        assert (relabeling["targetLabel"], value) == ("service", name)
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]
    assert {one["labels"]["service"] for one in scraped} - {"inbound"} == set(of_kind(manifests, "Service"))


@needs_helm
def test_with_a_token_prometheus_says_who_it_is() -> None:
    (monitor,) = of_kind(template("--set", "monitoring.tokenSecret.name=metrics-token"), "ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["authorization"] == {"credentials": {"name": "metrics-token", "key": "token"}}


def queries() -> dict[str, str]:
    return {
        name: one["spec"]["triggers"][0]["metadata"]["query"]
        for name, one in of_kind(committed("production"), "ScaledObject").items()
    }


def test_who_is_scaled_by_what() -> None:
    manifests = committed("production")
    by_lag = {"projector", "consumers", "process-manager", "event-relay"}
    by_cpu = set(HTTP_SERVICES) - by_lag - {"inbound"}
    assert set(of_kind(manifests, "ScaledObject")) == by_lag
    assert set(of_kind(manifests, "HorizontalPodAutoscaler")) == by_cpu
    for name, deployment in of_kind(manifests, "Deployment").items():
        assert "replicas" not in deployment["spec"], "the autoscaler says how many"
        (scaler,) = (
            one
            for kind in ("ScaledObject", "HorizontalPodAutoscaler")
            for of, one in of_kind(manifests, kind).items()
            if of == name
        )
        assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    for shape in ("small", "trial"):
        assert {one["spec"]["replicas"] for one in of_kind(committed(shape), "Deployment").values()} == {1}
        assert not of_kind(committed(shape), "ScaledObject")


def test_they_are_scaled_by_series_that_the_code_makes() -> None:
    made = {series for metric in every_metric() for series in metric.series}
    values = yaml.safe_load((ROOT / "deploy/kubernetes/chart/values.yaml").read_text())["services"].values()
    assert {one["scaling"]["metric"] for one in values if one["scaling"]["by"] == "lag"} <= made


LAGS: dict[str, str] = {
    # Two projectors show the lag of both views; the larger of each counts, and the two add up.
    'eventfold_consumer_lag_events{namespace="eventfold",service="projector",pod="a",consumer="orders"}': "7000",
    'eventfold_consumer_lag_events{namespace="eventfold",service="projector",pod="b",consumer="orders"}': "6900",
    'eventfold_consumer_lag_events{namespace="eventfold",service="projector",pod="a",consumer="stock"}': "500",
    # Not known; another service; another release.
    'eventfold_consumer_lag_events{namespace="eventfold",service="projector",pod="b",consumer="payments"}': "-1",
    'eventfold_consumer_lag_events{namespace="eventfold",service="consumers",pod="c",consumer="charging"}': "90",
    'eventfold_consumer_lag_events{namespace="other",service="projector",pod="d",consumer="orders"}': "99999",
}


@needs_promtool
def test_the_lag_that_keda_asks_for_is_that_of_the_service_counted_once(tmp_path: Path) -> None:
    asked = queries()
    case: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{value}x3"} for name, value in LAGS.items()],
        "promql_expr_test": [
            {"expr": asked[service], "eval_time": "2m", "exp_samples": [{"labels": "{}", "value": value}]}
            for service, value in (("projector", 7500), ("consumers", 90))
        ]
        # Nothing is known: no answer, which is no lag of 0.
        + [{"expr": asked["process-manager"], "eval_time": "2m", "exp_samples": []}],
    }
    file = tmp_path / "lags.yml"
    file.write_text(yaml.safe_dump({"tests": [case]}))
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr

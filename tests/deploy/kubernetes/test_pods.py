"""What a pod gives its container is what the service takes: settings, secrets, ports, probes, time to end."""

import base64
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from application import APPLICATION
from command_api.app import command_api
from deploy.kubernetes.generate import FOLDER, SHAPES
from event_relay.service import create_event_relay
from infrastructure.settings import PREFIX, Settings, load_settings
from ops.stack.services import HTTP_SERVICES
from payment_webhooks.app import payment_webhooks
from process_manager.service import create_process_manager
from projector.service import create_projector
from query_api.app import query_api
from signing_page.app import signing_page
from subscriptions.service import create_consumers
from tests.deploy.kubernetes.chart import (
    KUBECTL,
    SERVICE_SHAPES,
    committed,
    environment,
    needs_helm,
    needs_kubectl,
    of_kind,
    pods,
    template,
)
from tests.support.kubelet import Port, kubelet_variables
from tests.support.services import ROOT

OURS = [name for name in HTTP_SERVICES if name != "inbound"]
AT = "/run/secrets/eventfold"


@pytest.fixture(scope="module")
def trial_secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Secrets of a trial as files FOLDER/SECRET/KEY."""
    folder = tmp_path_factory.mktemp("secrets")
    made(folder)
    return folder


def made(folder: Path) -> str:
    """What the script prints."""
    command = folder / "eventfold"
    command.write_text(f'#!/bin/sh\nexec "{ROOT}/.venv/bin/python" -m ops.cli "$@"\n')
    command.chmod(0o700)
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "EVENTFOLD": str(command), "KUBECTL": KUBECTL or "true"}
    script = str(FOLDER / "trial-secrets")
    target = folder / "secrets"
    told = subprocess.run([script, str(target)], env=environ, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr
    return told.stdout


def in_pod(service: str, secrets: Path, shape: str = "trial") -> dict[str, str]:
    """The environment of a service's container, with its secrets in files of this machine."""
    (spec,) = (found for component, found, _ in pods(committed(shape)) if component == service)
    (container,) = spec["containers"]
    found = environment(committed(shape), container)
    return {name: value.replace(AT, str(secrets / "secrets")) for name, value in found.items()}


@pytest.mark.parametrize("service", OURS)
def test_a_service_takes_its_environment(service: str, trial_secrets: Path) -> None:
    environ = in_pod(service, trial_secrets)
    environ["EVENTFOLD_KEY_STORE"] = "mongodb://mongodb:27017/?directConnection=true"
    environ["EVENTFOLD_DOCUMENT_STORE"] = f"file:{trial_secrets}"
    settings = load_settings(environ)
    assert settings.http.host == "0.0.0.0"
    assert CREATED[service](APPLICATION, settings).routes
    assert settings.consumers.name == "a-pod-5d7f9"


CREATED: dict[str, Any] = {
    "command-api": command_api,
    "query-api": query_api,
    "projector": create_projector,
    "consumers": create_consumers,
    "process-manager": create_process_manager,
    "event-relay": create_event_relay,
    "payment-webhooks": lambda _, settings: payment_webhooks(settings),
    "signing-page": lambda _, settings: signing_page(settings),
}


def test_the_services_are_all_of_ours() -> None:
    for shape in SERVICE_SHAPES:
        assert set(of_kind(committed(shape), "Deployment")) == set(OURS)


@needs_kubectl
def test_the_trials_secrets_are_what_its_pods_ask_for_and_stay_when_they_are_made_again(tmp_path: Path) -> None:
    manifests = [one for one in yaml.safe_load_all(made(tmp_path)) if one]
    made_keys = {(one["metadata"]["name"], key) for one in manifests for key in one["data"]}
    asked: set[tuple[str, str]] = set()
    for _, spec, _ in pods(committed("trial")):
        for volume in spec["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                asked |= {(source["secret"]["name"], item["key"]) for item in source["secret"]["items"]}
        for container in spec["containers"]:
            for variable in container.get("env", []):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    asked.add((reference["name"], reference["key"]))
    assert made_keys == asked
    values = {(one["metadata"]["name"], key): text for one in manifests for key, text in one["data"].items()}
    # A variable has it as it is; from a file a newline at its end is left out.
    assert not base64.b64decode(values["eventfold-payments", "key"]).endswith(b"\n")
    again = [one for one in yaml.safe_load_all(made(tmp_path)) if one]
    assert again == manifests


@pytest.mark.parametrize("shape", SERVICE_SHAPES)
def test_no_service_of_a_release_is_called_like_a_setting(shape: str, trial_secrets: Path) -> None:
    """As if `enableServiceLinks: false` were forgotten: the variables of all Services change nothing, hide nothing."""
    linked: dict[str, str] = {}
    for number, service in enumerate(of_kind(committed(shape), "Service").values()):
        ports = [Port(port["port"], port["name"], port["protocol"]) for port in service["spec"]["ports"]]
        linked |= kubelet_variables(service["metadata"]["name"], ports, f"10.0.0.{number + 5}")
    assert {"EVENTFOLD_COMMAND_API_PORT", "EVENTFOLD_QUERY_API_SERVICE_HOST"} <= linked.keys()
    for service in OURS:
        own = in_pod(service, trial_secrets)
        assert not own.keys() & linked.keys()
        assert load_settings({**linked, **own}) == load_settings(own)


@needs_helm
@pytest.mark.parametrize("release", ["eventfold", "shop", "host", "eventfold-http", "eventfold-mongo"])
def test_whatever_the_release_is_called(release: str) -> None:
    manifests = template("--set", f"fullnameOverride={release}")
    linked: dict[str, str] = {}
    for service in (one for one in manifests if one["kind"] == "Service"):
        ports = [Port(port["port"], port["name"], port["protocol"]) for port in service["spec"]["ports"]]
        linked |= kubelet_variables(service["metadata"]["name"], ports)
    assert load_settings(linked) == Settings()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("service", OURS)
def test_ports_probes_and_the_service_meet_where_it_listens(service: str, shape: str, trial_secrets: Path) -> None:
    manifests = committed(shape)
    (container,) = of_kind(manifests, "Deployment")[service]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [service]
    listens = getattr(load_settings(in_pod(service, trial_secrets)).http, f"{service.replace('-', '_')}_port")
    assert [(one["name"], one["containerPort"]) for one in container["ports"]] == [("http", listens)]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {one["port"] for one in probes.values()} == {"http"}
    assert [one["path"] for one in probes.values()] == ["/health/live", "/health/live", "/health/ready"]
    (port,) = of_kind(manifests, "Service")[service]["spec"]["ports"]
    assert (port["targetPort"], port["port"]) == ("http", listens)


@pytest.mark.parametrize("shape", SERVICE_SHAPES)
def test_a_pod_has_time_to_finish(shape: str) -> None:
    for deployment in of_kind(committed(shape), "Deployment").values():
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        (_, before) = container["lifecycle"]["preStop"]["exec"]["command"]
        environ = environment(committed(shape), container)
        grace = float(environ[f"{PREFIX}SHUTDOWN_GRACE"])
        assert spec["terminationGracePeriodSeconds"] >= float(before) + 2 * grace


@needs_helm
def test_it_has_more_where_the_grace_is_longer() -> None:
    manifests = template("--set-json", "settings.EVENTFOLD_SHUTDOWN_GRACE=42.5")
    spec = of_kind(manifests, "Deployment")["projector"]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 5 + 2 * 43 + 5


@needs_helm
def test_numbers_reach_a_service_as_they_are() -> None:
    settings = template("--set", "settings.EVENTFOLD_MAX_BODY_BYTES=16777216,settings.EVENTFOLD_VIEW_GRACE=31536000")
    data = of_kind(settings, "ConfigMap")["settings"]["data"]
    assert (data["EVENTFOLD_MAX_BODY_BYTES"], data["EVENTFOLD_VIEW_GRACE"]) == ("16777216", "31536000")
    assert load_settings(data).http.max_body_bytes == 16_777_216


def test_the_release_is_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((FOLDER / "chart/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_documents_are_written_by_the_consumers_and_read_by_the_query_api() -> None:
    mounted = {
        component: (mount["mountPath"], mount["readOnly"])
        for component, spec, _ in pods(committed("trial"))
        for mount in spec["containers"][0]["volumeMounts"]
        if mount["name"] == "documents"
    }
    assert mounted == {"consumers": ("/documents", False), "query-api": ("/documents", True)}
    (claim,) = (one for one in committed("trial") if one["metadata"]["name"] == "eventfold-documents")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@needs_helm
def test_the_doctor_has_the_files_that_it_reads() -> None:
    manifests = template(
        *("--set", "settings.EVENTFOLD_RELAY_DESTINATIONS=/relay/destinations.toml"),
        *("--set", "services.event-relay.files[0].secret=where,services.event-relay.files[0].at=/relay"),
    )
    specs = {component: spec for component, spec, _ in pods(manifests)}
    for component in ("doctor", "event-relay"):
        mounts = {one["mountPath"] for one in specs[component]["containers"][0]["volumeMounts"]}
        assert "/relay" in mounts
        assert {one["secret"]["secretName"] for one in specs[component]["volumes"] if "secret" in one} == {"where"}

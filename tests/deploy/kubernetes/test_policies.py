"""deploy/kubernetes/policies: what the chart renders keeps to each, and each refuses what it is for."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from regopy import Interpreter

from deploy.kubernetes.generate import FOLDER
from tests.deploy.kubernetes.chart import SERVICE_SHAPES, Manifest, committed, needs_helm, template

FILES = sorted((FOLDER / "policies").glob("*.rego"))
POLICIES = [path.stem for path in FILES if path.stem != "workloads"]


def refused(manifests: list[Manifest] | tuple[Manifest, ...]) -> dict[str, list[str]]:
    """What each policy that has something against them says."""
    rego = Interpreter()
    for path in FILES:
        rego.add_module(path.name, path.read_text())
    rego.set_input({"manifests": list(manifests)})
    asked = ", ".join(f"data.eventfold.{policy}.deny" for policy in POLICIES)
    answers = json.loads(str(rego.query(f"x = [{asked}]")))["bindings"]["x"]
    return {policy: found for policy, found in zip(POLICIES, answers, strict=True) if found}


@pytest.mark.parametrize("shape", SERVICE_SHAPES)
def test_the_manifests_keep_to_every_policy(shape: str) -> None:
    assert refused(committed(shape)) == {}


@needs_helm
def test_so_do_those_with_everything_switched_on() -> None:
    everything = [
        *(
            "--set",
            "services.inbound.enabled=true",
            "--set",
            "settings.EVENTFOLD_INBOUND_SOURCES=/inbound/sources.toml",
        ),
        *("--set", "settings.EVENTFOLD_RELAY_DESTINATIONS=/relay/destinations.toml"),
        *("--set", "services.event-relay.files[0].secret=destinations,services.event-relay.files[0].at=/relay"),
        *("--set", "services.inbound.files[0].secret=sources,services.inbound.files[0].at=/inbound"),
        *("--set", "settings.OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability:4318"),
        *("--set", "settings.EVENTFOLD_SIGNATURE_PROVIDER=sandbox"),
        *("--set", "settings.EVENTFOLD_AUTH_JWKS_URL=https://identity.example/jwks.json"),
        *("--set", "secrets.EVENTFOLD_AUTH_JWKS_FILE=null"),
        *("--set", "jobs.backup-read-store.enabled=true,jobs.backup-key-store.enabled=true"),
        *("--set", "jobs.backup-event-store.enabled=true,jobs.backup-event-store.source.claim=data-node-0"),
    ]
    assert refused(template(*everything)) == {}


BASE = [
    one
    for one in committed("small")
    if one["metadata"]["name"] in ("eventfold-query-api", "eventfold-deny", "eventfold-settings", "eventfold-doctor")
]


def test_what_is_changed_below_is_sound_before() -> None:
    assert {one["kind"] for one in BASE} == {
        *("Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "ConfigMap", "CronJob", "ServiceAccount")
    }
    assert refused(BASE) == {}


def of(manifests: list[Manifest], kind: str) -> Any:
    return next(one for one in manifests if one["kind"] == kind)


def pod(manifests: list[Manifest]) -> Any:
    return of(manifests, "Deployment")["spec"]["template"]["spec"]


def container(manifests: list[Manifest]) -> Any:
    return pod(manifests)["containers"][0]


def rule(manifests: list[Manifest], direction: str) -> Any:
    return next(
        one["spec"][direction][0] for one in manifests if one["kind"] == "NetworkPolicy" and one["spec"].get(direction)
    )


def variable(name: str, value: str) -> Callable[[list[Manifest]], Any]:
    return lambda them: container(them)["env"].append({"name": name, "value": value})


def without(*kinds: str) -> Callable[[list[Manifest]], Any]:
    def remove(manifests: list[Manifest]) -> None:
        manifests[:] = [one for one in manifests if one["kind"] not in kinds]

    return remove


def job_pod(manifests: list[Manifest]) -> Any:
    return of(manifests, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stores"}, "stringData": {"uri": "esdb://"}}
# What is done to sound manifests, which policy refuses it, and a part of what that says.
VIOLATIONS: list[tuple[str, str, Callable[[list[Manifest]], Any]]] = [
    ("no_root", "runAsNonRoot is not true", lambda them: pod(them)["securityContext"].pop("runAsNonRoot")),
    ("no_root", "runAsUser is not a number above 0", lambda them: pod(them)["securityContext"].update(runAsUser=0)),
    ("no_root", "runAsUser is not a number above 0", lambda them: pod(them)["securityContext"].pop("runAsUser")),
    (
        "no_root",
        "runAsUser is not a number above 0",
        lambda them: container(them)["securityContext"].update(runAsUser=0),
    ),
    (
        "no_root",
        "seccompProfile is not RuntimeDefault",
        lambda them: pod(them)["securityContext"].pop("seccompProfile"),
    ),
    (
        "no_root",
        "allowPrivilegeEscalation is not false",
        lambda them: container(them)["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    ("no_root", "it is privileged", lambda them: container(them)["securityContext"].update(privileged=True)),
    (
        "no_root",
        "not all capabilities are dropped",
        lambda them: container(them)["securityContext"].pop("capabilities"),
    ),
    (
        "no_root",
        "it adds capabilities",
        lambda them: container(them)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ),
    ("no_root", "hostNetwork is the machine's", lambda them: pod(them).update(hostNetwork=True)),
    (
        "no_root",
        "is a folder of the machine",
        lambda them: pod(them)["volumes"].append({"name": "docker", "hostPath": {"path": "/var/run"}}),
    ),
    ("no_root", "CronJob eventfold-doctor", lambda them: job_pod(them)["securityContext"].pop("runAsNonRoot")),
    (
        "no_root",
        "container prepare: not all capabilities are dropped",
        lambda them: pod(them).update(
            initContainers=[
                {
                    "name": "prepare",
                    "image": "busybox:1.37.0",
                    "resources": container(them)["resources"],
                    **{key: container(them)[key] for key in ("startupProbe", "livenessProbe", "readinessProbe")},
                    "securityContext": {"allowPrivilegeEscalation": False},
                }
            ]
        ),
    ),
    (
        "read_only",
        "readOnlyRootFilesystem is not true",
        lambda them: container(them)["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    ("network", "Deployment eventfold-query-api: no NetworkPolicy holds for its Egress", without("NetworkPolicy")),
    ("network", "no NetworkPolicy chooses its pods for Ingress", without("NetworkPolicy")),
    ("network", "an ingress rule lets everybody in", lambda them: rule(them, "ingress").pop("from")),
    ("network", "an egress rule leads everywhere", lambda them: rule(them, "egress").update(to=[])),
    ("network", "a rule names no ports", lambda them: rule(them, "egress").pop("ports")),
    (
        "network",
        "an empty selector chooses every peer",
        lambda them: rule(them, "ingress")["from"].append({"namespaceSelector": {}}),
    ),
    (
        "network",
        "an empty selector chooses every peer",
        lambda them: rule(them, "egress")["to"].append({"ipBlock": {"cidr": "0.0.0.0/0"}}),
    ),
    (
        "network",
        "port 9000 leads to no port",
        lambda them: of(them, "Service")["spec"]["ports"].append({"port": 9000, "targetPort": 9000}),
    ),
    (
        "resources_and_probes",
        "resources.limits.memory is missing",
        lambda them: container(them)["resources"]["limits"].pop("memory"),
    ),
    ("resources_and_probes", "resources.requests.cpu is missing", lambda them: container(them).pop("resources")),
    ("resources_and_probes", "startupProbe is missing", lambda them: container(them).pop("startupProbe")),
    ("resources_and_probes", "livenessProbe is missing", lambda them: container(them).pop("livenessProbe")),
    ("resources_and_probes", "readinessProbe is missing", lambda them: container(them).pop("readinessProbe")),
    (
        "resources_and_probes",
        "can run for ever",
        lambda them: of(them, "CronJob")["spec"]["jobTemplate"]["spec"].pop("activeDeadlineSeconds"),
    ),
    ("secrets", "Secret stores: a Secret is none of the manifests'", lambda them: them.append(SECRET)),
    ("secrets", "EVENTFOLD_PAYMENTS_KEY is a secret", variable("EVENTFOLD_PAYMENTS_KEY", "sk_live_1")),
    ("secrets", "EVENTFOLD_EVENTSTORE_URI is a secret", variable("EVENTFOLD_EVENTSTORE_URI", "esdb://store:2113")),
    ("secrets", "has a password in its address", variable("ELSEWHERE", "https://ada:pass@elsewhere.example")),
    (
        "secrets",
        "ConfigMap eventfold-settings: EVENTFOLD_TOKEN is a secret",
        lambda them: of(them, "ConfigMap")["data"].update(EVENTFOLD_TOKEN="eyJ"),
    ),
    (
        "secrets",
        "ConfigMap eventfold-settings: OTHER has a password",
        lambda them: of(them, "ConfigMap")["data"].update(OTHER="mongodb://ada:pass@mongodb/"),
    ),
    ("secrets", "an argument has a password", lambda them: container(them)["args"].append("--url=amqp://a:b@rabbit/")),
    ("images", "is whatever is the latest", lambda them: container(them).update(image="eventfold:latest")),
    ("images", "neither a tag nor a digest", lambda them: container(them).update(image="registry:5000/other")),
    ("apart", "enableServiceLinks is not false", lambda them: pod(them).pop("enableServiceLinks")),
    ("apart", "automountServiceAccountToken is not false", lambda them: pod(them).pop("automountServiceAccountToken")),
    ("availability", "no PodDisruptionBudget chooses it", without("PodDisruptionBudget")),
    (
        "availability",
        "no machine can be emptied",
        lambda them: of(them, "PodDisruptionBudget")["spec"].update(maxUnavailable=0),
    ),
    ("availability", "its pods are not spread", lambda them: pod(them).pop("topologySpreadConstraints")),
    (
        "availability",
        "terminationGracePeriodSeconds is missing",
        lambda them: pod(them).pop("terminationGracePeriodSeconds"),
    ),
]


@pytest.mark.parametrize(("policy", "says", "change"), VIOLATIONS, ids=[f"{one[0]}: {one[1]}" for one in VIOLATIONS])
def test_what_violates_a_policy_is_refused_by_it_and_by_no_other(
    policy: str, says: str, change: Callable[[list[Manifest]], Any]
) -> None:
    manifests = copy.deepcopy(BASE)
    change(manifests)
    found = refused(manifests)
    assert list(found) == [policy]
    assert any(says in one for one in found[policy]), found


def test_every_policy_is_among_them() -> None:
    assert {policy for policy, _, _ in VIOLATIONS} == set(POLICIES)


def test_every_rule_of_every_policy_is_among_them() -> None:
    for policy in POLICIES:
        rules = Path(FOLDER / "policies" / f"{policy}.rego").read_text().count("deny contains")
        tried = {says for name, says, _ in VIOLATIONS if name == policy}
        assert rules <= len(tried), f"{policy}: {rules} rules, {len(tried)} kinds of violations"

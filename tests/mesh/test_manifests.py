"""The table of who may call whom, and the manifests that are made of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from deploy.kubernetes.generate import MANIFESTS
from deploy.mesh import istio, linkerd
from deploy.mesh.calls import CALLEES, CALLS, EVENT_STORE, may_call
from deploy.mesh.generate import files
from deploy.mesh.places import NAMESPACE, place_of, port_of
from deploy.mesh.sidecar import Inbound, Sidecar, configuration
from ops.gateway.options import Endpoint
from ops.locations import COMMAND_API, INBOUND, SIGNATURE_PROVIDER
from tests.mesh.linkerd_schemas import SCHEMAS

ISTIO = json.loads((Path(__file__).parent / "istio_schemas.json").read_text())["schemas"]
APPEND = "/event_store.client.streams.Streams/BatchAppend"
READ = "/event_store.client.streams.Streams/Read"


@pytest.mark.parametrize(
    ("caller", "callee", "method", "path", "allowed"),
    [
        ("command-api", "event-store", "POST", APPEND, True),
        ("query-api", "event-store", "POST", READ, True),
        ("query-api", "event-store", "POST", APPEND, False),
        ("gateway", "event-store", "POST", READ, False),
        ("command-api", "event-store", "POST", "/event_store.client.streams.Streams/Tombstone", False),
        ("query-api", "payment-provider", "POST", "/charges", False),
        ("consumers", "payment-provider", "POST", "/charges", True),
        ("process-manager", "command-api", "POST", "/orders/1/confirm", True),
        ("query-api", "command-api", "POST", "/orders/1/confirm", False),
        ("gateway", "event-relay", "GET", "/events", True),
        ("gateway", "event-relay", "POST", "/destinations/x/pause", False),
        ("gateway", "projector", "GET", "/views", False),
        ("prometheus", "projector", "GET", "/metrics", True),
        ("prometheus", "projector", "GET", "/views", False),
    ],
)
def test_who_may_call_whom(caller: str, callee: str, method: str, path: str, *, allowed: bool) -> None:
    assert may_call(caller, callee, method, path) == allowed


def test_the_committed_manifests_are_up_to_date() -> None:
    for path, text in files().items():
        assert path.read_text() == text, f"{path.name}: run `python -m deploy.mesh.generate`"


def test_istio_takes_its_resources() -> None:
    for one in istio.resources():
        group = "security" if one["kind"] in ("PeerAuthentication", "AuthorizationPolicy") else "networking"
        assert one["apiVersion"] == f"{group}.istio.io/v1"
        Draft202012Validator(ISTIO[one["kind"]]).validate(one["spec"])


def test_linkerd_takes_its_resources() -> None:
    for one in linkerd.resources():
        version, schema = SCHEMAS[one["kind"]]
        assert one["apiVersion"] == version
        Draft202012Validator(schema).validate(one["spec"])


def test_a_fault_in_a_resource_is_found() -> None:
    destination = next(one for one in istio.resources() if one["kind"] == "DestinationRule")
    destination["spec"]["trafficPolicy"]["outlierDetections"] = {}
    assert not Draft202012Validator(ISTIO["DestinationRule"]).is_valid(destination["spec"])


def test_every_port_is_covered_in_each_mesh() -> None:
    names = {one.name for one in CALLEES}
    assert {one.callee for one in CALLS} == names
    policies = {one["metadata"]["name"] for one in istio.resources() if one["kind"] == "AuthorizationPolicy"}
    assert policies == names | {"nothing"}
    servers = {one["metadata"]["name"]: one["spec"] for one in linkerd.resources() if one["kind"] == "Server"}
    assert set(servers) == names
    assert {one["accessPolicy"] for one in servers.values()} == {"deny"}


def test_linkerd_says_the_same_as_the_table() -> None:
    """Of requests that fit two of its routes the more exact one decides alone: so whoever may ask for any path is with
    each path that is named."""
    by_kind: dict[str, dict[str, Any]] = {}
    for one in linkerd.resources():
        by_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one["spec"]
    for name, route in by_kind["HTTPRoute"].items():
        if name.endswith("-probes"):
            continue
        found = by_kind["MeshTLSAuthentication"][name]["identityRefs"]
        callers = {(one["namespace"], one["name"]) for one in found}
        for match in route["rules"][0]["matches"]:
            path = match.get("path", {}).get("value", "/any")
            callee = route["parentRefs"][0]["name"]
            everybody = {caller for call in CALLS for caller in call.callers}
            allowed = {one for one in everybody if may_call(one, callee, match["method"], path)}
            assert callers == {(place.namespace, place.account) for place in map(place_of, allowed)}, match


def test_wherever_linkerd_has_routes_probes_have_one_that_anybody_may_ask() -> None:
    """With a route at a Server, Linkerd adds none for probes: pods would never be ready."""
    by_kind: dict[str, dict[str, Any]] = {}
    for one in linkerd.resources():
        by_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one["spec"]
    routes = by_kind["HTTPRoute"]
    with_routes = {route["parentRefs"][0]["name"] for route in routes.values()}
    probed = {name.removesuffix("-probes"): route for name, route in routes.items() if name.endswith("-probes")}
    assert probed.keys() == with_routes
    assert {COMMAND_API, EVENT_STORE} <= with_routes
    for name, route in probed.items():
        paths = {match["path"]["value"] for match in route["rules"][0]["matches"]}
        assert paths == {"/health/live", "/health/ready"}
        (required,) = by_kind["AuthorizationPolicy"][f"{name}-probes"]["requiredAuthenticationRefs"]
        assert (required["kind"], required["name"]) == ("NetworkAuthentication", "probes")
    others = [route for name, route in routes.items() if not name.endswith("-probes")]
    named = {match.get("path", {}).get("value") for one in others for match in one["rules"][0]["matches"]}
    assert not named & {"/health/live", "/health/ready"}, "a path belongs to one route"


def trial() -> dict[str, dict[str, Any]]:
    """The manifests of the chart's trial, where every part is a pod, by kind and name."""
    found: dict[str, dict[str, Any]] = {}
    for one in yaml.safe_load_all((MANIFESTS / "trial.yaml").read_text()):
        if one:
            found.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
    return found


# Not in the trial: what needs a file of its own, and the sandbox of a signing provider.
NOT_IN_TRIAL = {INBOUND, SIGNATURE_PROVIDER}


def test_whom_the_table_names_the_chart_has_under_that_name() -> None:
    found = trial()
    jobs = [one["spec"]["jobTemplate"]["spec"] for one in found["CronJob"].values()]
    others = [one["spec"] for kind in ("Deployment", "StatefulSet") for one in found[kind].values()]
    pods = [one["template"] for one in (*jobs, *others)]
    accounts = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["spec"]["serviceAccountName"] for pod in pods
    }
    assert set(accounts.values()) <= found["ServiceAccount"].keys()
    assert len(set(accounts.values())) == len(accounts), "nobody is known by another's name"
    named = {one.name for one in CALLEES} | {caller for call in CALLS for caller in call.callers}
    for name in named - NOT_IN_TRIAL:
        place = place_of(name)
        if place.namespace == NAMESPACE:
            assert accounts[place.component] == place.account
    for callee in CALLEES:
        if callee.name not in NOT_IN_TRIAL:
            place = place_of(callee.name)
            service = found["Service"][place.host.partition(".")[0]]
            assert service["spec"]["selector"]["app.kubernetes.io/component"] == place.component
            assert port_of(callee.name, callee.port) in {port["port"] for port in service["spec"]["ports"]}


def test_the_sidecar_refuses_whom_the_table_does_not_name() -> None:
    callee = next(one for one in CALLEES if one.name == EVENT_STORE)
    inbound = Inbound(callee, Endpoint("0.0.0.0", 1), Endpoint("127.0.0.1", 2))
    found = configuration(Sidecar(EVENT_STORE, Path("/certificates"), 3, (inbound,)))  # type: ignore[arg-type]
    (listener,) = found["envoy"]["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    assert chain["transport_socket"]["typed_config"]["require_client_certificate"]
    rules = chain["filters"][0]["typed_config"]["http_filters"][0]["typed_config"]["rules"]
    assert rules["action"] == "ALLOW"
    assert "gateway" not in json.dumps(rules)

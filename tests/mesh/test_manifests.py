"""The table of who may call whom, and the manifests that are made of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from deploy.mesh import istio, linkerd
from deploy.mesh.calls import CALLEES, CALLS, EVENT_STORE, may_call
from deploy.mesh.generate import files
from deploy.mesh.sidecar import Inbound, Sidecar, configuration
from ops.gateway.options import Endpoint
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
        callers = {one["name"] for one in by_kind["MeshTLSAuthentication"][name]["identityRefs"]}
        for match in route["rules"][0]["matches"]:
            path = match.get("path", {}).get("value", "/any")
            callee = route["parentRefs"][0]["name"]
            everybody = {caller for call in CALLS for caller in call.callers}
            assert callers == {one for one in everybody if may_call(one, callee, match["method"], path)}, match


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

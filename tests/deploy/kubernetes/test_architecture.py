"""Who reaches whom by the network policies, and who gets which secret: what the architecture draws, nothing else."""

import functools
from typing import Any

import pytest
import yaml

from deploy.kubernetes.generate import CHART
from deploy.mesh.calls import CALLEES, CALLS, EVENT_STORE, PROMETHEUS, READ_STORE
from deploy.mesh.places import place_of, port_of
from ops.locations import GATEWAY, MAIL_SINK, PAYMENT_PROVIDER, PAYMENT_WEBHOOKS, SIGNATURE_PROVIDER
from ops.stack.services import HTTP_SERVICES
from tests.deploy.kubernetes.chart import Manifest, committed, needs_helm, of_kind, pods, template

# Of the trial, where every part is a pod: whom each may reach, and at which port.
STORES = {("event-store", 2113), ("mongodb", 27017)}
COMMANDS, QUERIES = ("command-api", 8000), ("query-api", 8000)
DRAWN: dict[str, set[tuple[str, int]]] = {
    "command-api": STORES,  # MongoDB has the keys of personal data
    "query-api": STORES,
    "projector": STORES,
    "event-relay": STORES,
    "process-manager": STORES | {COMMANDS},
    "consumers": STORES | {COMMANDS, ("payment-provider", 8021), ("mail", 1025)},
    "payment-webhooks": {COMMANDS},
    "signing-page": {COMMANDS, QUERIES},
    "doctor": STORES,
    "backup-read-store": {("mongodb", 27017)},
    "backup-key-store": {("mongodb", 27017)},
    "backup-event-store": set(),
    "payment-provider": {("payment-webhooks", 8000)},
    "event-store": set(),
    "mongodb": set(),
    "mail": set(),
}
FROM_OUTSIDE = {"command-api", "query-api", "event-relay", "payment-webhooks", "signing-page"}

# What the chart calls what a service needs, where it is a call: the callee in the mesh's table.
CALLED = {
    "event-store": EVENT_STORE,
    "read-store": READ_STORE,
    "key-store": READ_STORE,
    "mail": MAIL_SINK,
    "payment-provider": PAYMENT_PROVIDER,
    "signature-provider": SIGNATURE_PROVIDER,
    "command-api": "command-api",
    "query-api": "query-api",
}
# Needs that are a secret or a file, or lead out of the cluster, where the mesh has no say.
NO_CALLS = {
    *("bucket", "timestamps", "destinations", "sources", "signer", "signing-links"),
    *("payment-provider-webhooks", "signature-provider-webhooks"),
}


def matches(selector: Manifest, labels: Any) -> bool:
    assert selector.keys() == {"matchLabels"}
    return all(labels.get(key) == value for key, value in selector["matchLabels"].items())


def lets(rules: list[Manifest], side: str, labels: Any, port: int) -> bool:
    """Whether a rule lets through what comes from, or goes to, a pod of this namespace."""
    return any(
        any(peer.keys() == {"podSelector"} and matches(peer["podSelector"], labels) for peer in rule[side])
        and {"protocol": "TCP", "port": port} in rule["ports"]
        for rule in rules
    )


def rules_for(manifests: tuple[Manifest, ...], labels: Any, direction: str) -> list[Manifest]:
    policies = of_kind(manifests, "NetworkPolicy").values()
    chosen = [one["spec"] for one in policies if matches(one["spec"]["podSelector"], labels)]
    assert any(direction.capitalize() in one["policyTypes"] for one in chosen)
    return [rule for one in chosen for rule in one.get(direction, [])]


@functools.cache
def reached_in_the_trial() -> dict[str, set[tuple[str, int]]]:
    """Whom each component reaches, and at which port, by what the chart renders."""
    manifests = committed("trial")
    labels = {component: found for component, _, found in pods(manifests)}
    ports = {
        component: [port["containerPort"] for one in spec["containers"] for port in one.get("ports", [])]
        for component, spec, _ in pods(manifests)
    }
    return {
        asks: {
            (asked, port)
            for asked in labels
            for port in ports[asked]
            if lets(rules_for(manifests, labels[asks], "egress"), "to", labels[asked], port)
            and lets(rules_for(manifests, labels[asked], "ingress"), "from", labels[asks], port)
        }
        for asks in labels
    }


def test_in_the_trial_everybody_reaches_whom_the_architecture_draws_and_nobody_else() -> None:
    assert reached_in_the_trial() == DRAWN


def test_the_trials_network_lets_through_what_the_mesh_does_and_nothing_else() -> None:
    reached = reached_in_the_trial()
    ports = {callee.name: port_of(callee.name, callee.port) for callee in CALLEES}
    by_the_mesh: dict[str, set[tuple[str, int]]] = {component: set() for component in reached}
    for call in CALLS:
        asked = place_of(call.callee).component, ports[call.callee]
        for asks in (place_of(caller).component for caller in call.callers):
            if asks in reached and asked[0] in reached:
                by_the_mesh[asks].add(asked)
    assert by_the_mesh == reached


def test_a_service_needs_what_the_mesh_lets_it_call_and_nothing_else() -> None:
    """The chart's network policies follow from the needs; also of services that are not enabled yet."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    services = values["services"]
    who = {**services, **values["jobs"]}
    needed = {(name, need) for name, one in who.items() for need in one["needs"]}
    assert {need for _, need in needed} <= CALLED.keys() | NO_CALLS
    drawn = {(name, CALLED[need]) for name, need in needed if need in CALLED}
    asks_from_outside = {(GATEWAY, name) for name, service in services.items() if "gateway" in service.get("from", [])}
    # The providers are outside of the production's cluster, and come by the gateway.
    others = {GATEWAY, PROMETHEUS, PAYMENT_PROVIDER, SIGNATURE_PROVIDER}
    allowed = {(caller, call.callee) for call in CALLS for caller in call.callers}
    assert {pair for pair in allowed if pair[0] not in others} == drawn
    assert {pair for pair in allowed if pair[0] == GATEWAY} == asks_from_outside
    assert {callee for caller, callee in allowed if caller == PROMETHEUS} == services.keys()
    providers = {pair for pair in allowed if pair[0] in (PAYMENT_PROVIDER, SIGNATURE_PROVIDER)}
    assert {callee for _, callee in providers} == {PAYMENT_WEBHOOKS}


def test_no_rule_allows_one_end_alone() -> None:
    """What one end allows and the other doesn't is a mistake, and looks like a policy."""
    manifests = committed("trial")
    labels = {component: found for component, _, found in pods(manifests)}
    for asks, found in labels.items():
        rules = rules_for(manifests, found, "egress")
        to = {
            asked
            for asked in labels
            for rule in rules
            for port in rule["ports"]
            if lets([rule], "to", labels[asked], port["port"])
        }
        assert to == {asked for asked, _ in DRAWN[asks]}


def test_from_outside_the_gateway_reaches_what_is_for_clients_and_prometheus_every_service() -> None:
    for shape in ("production", "small", "trial"):
        manifests = committed(shape)
        for component, _, labels in pods(manifests):
            rules = rules_for(manifests, labels, "ingress")
            peers = [peer for rule in rules for peer in rule["from"] if "namespaceSelector" in peer]
            names = {peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in peers}
            expected = {"monitoring"} if component in HTTP_SERVICES else set()
            assert names == expected | ({"gateway"} if component in FROM_OUTSIDE else set()), component


def test_a_pod_that_needs_nobody_reaches_nobody() -> None:
    rules = of_kind(committed("trial"), "NetworkPolicy")
    assert rules["backup-event-store"]["spec"]["egress"] == rules["mail"]["spec"]["egress"] == []


def test_in_production_only_the_consumers_reach_the_providers() -> None:
    """To the outside; that the one at an address is the provider is a matter of the mesh."""
    policies = of_kind(committed("production"), "NetworkPolicy")
    reach_out = {
        name: {
            port["port"]
            for rule in policy["spec"].get("egress", [])
            for port in rule["ports"]
            if any("ipBlock" in peer for peer in rule["to"])
        }
        for name, policy in policies.items()
    }
    assert {name: found for name, found in reach_out.items() if found} == {
        "consumers": {443, 465, 587},  # payments, the bucket, mail
        "query-api": {443},  # the bucket
    }


@needs_helm
def test_with_documents_in_files_the_query_api_reaches_nobody_outside() -> None:
    policies = of_kind(template("--set", "settings.EVENTFOLD_DOCUMENT_STORE=file:/documents"), "NetworkPolicy")
    rules = policies["query-api"]["spec"]["egress"]
    assert not any("ipBlock" in peer for rule in rules for peer in rule["to"])


@needs_helm
@pytest.mark.parametrize(
    ("setting", "port", "who"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability:4318", 4318, set(HTTP_SERVICES) - {"inbound"}),
        ("EVENTFOLD_DOCUMENT_TIMESTAMP_URL=http://times.example", 80, {"consumers"}),
    ],
)
def test_what_a_setting_asks_for_can_be_reached_and_not_before(setting: str, port: int, who: set[str]) -> None:
    def reach(manifests: tuple[Manifest, ...]) -> set[str]:
        policies = of_kind(manifests, "NetworkPolicy")
        return {
            name
            for name, one in policies.items()
            if any({"protocol": "TCP", "port": port} in rule["ports"] for rule in one["spec"].get("egress", []))
        }

    assert reach(committed("production")) == set()
    assert reach(template("--set", f"settings.{setting}")) == who


SIGNER = {"eventfold-signer", "eventfold-signing-links"}
KEYS = {"eventfold-key-store", "eventfold-master-key"}
SECRETS = {
    "command-api": {"eventfold-event-store", "eventfold-tokens"} | KEYS,
    "query-api": {"eventfold-event-store", "eventfold-read-store", "eventfold-tokens"} | KEYS,
    "projector": {"eventfold-event-store", "eventfold-read-store", "eventfold-tokens"} | KEYS,
    "event-relay": {"eventfold-event-store", "eventfold-read-store", "eventfold-tokens"} | KEYS,
    "process-manager": {"eventfold-event-store", "eventfold-read-store", "eventfold-tokens", "eventfold-service-key"}
    | KEYS,
    "consumers": {
        *("eventfold-event-store", "eventfold-read-store", "eventfold-tokens", "eventfold-service-key"),
        *("eventfold-payments", "eventfold-mail", *SIGNER, *KEYS),
    },
    "payment-webhooks": {"eventfold-tokens", "eventfold-service-key", "eventfold-payments"},
    "signing-page": {"eventfold-tokens", "eventfold-service-key", "eventfold-signing-links"},
    "doctor": {"eventfold-event-store", "eventfold-read-store"},
    "backup-read-store": {"eventfold-read-store"},
    "backup-key-store": {"eventfold-key-store"},  # without the master key, which would open the backup
    "backup-event-store": set(),
    "payment-provider": {"eventfold-payments"},
    "event-store": set(),
    "mongodb": set(),
    "mail": set(),
}


def test_a_pod_gets_the_secrets_that_it_needs_and_no_other() -> None:
    got = {component: secrets_of(spec) for component, spec, _ in pods(committed("trial"))}
    assert got == SECRETS
    (webhooks,) = (spec for component, spec, _ in pods(committed("trial")) if component == "payment-webhooks")
    (projected,) = (volume["projected"] for volume in webhooks["volumes"] if "projected" in volume)
    keys = {(one["secret"]["name"], item["key"]) for one in projected["sources"] for item in one["secret"]["items"]}
    assert ("eventfold-payments", "webhook-secret") in keys
    assert ("eventfold-payments", "key") not in keys


def secrets_of(spec: Manifest) -> set[str]:
    """The Secrets that a pod has something of."""
    volumes = [
        source["secret"]["name"] for one in spec["volumes"] for source in one.get("projected", {}).get("sources", [])
    ]
    whole = [one["secret"]["secretName"] for one in spec["volumes"] if "secret" in one]
    variables = [
        one["valueFrom"]["secretKeyRef"]["name"]
        for container in spec["containers"]
        for one in container.get("env", [])
        if "secretKeyRef" in one.get("valueFrom", {})
    ]
    return {*volumes, *whole, *variables}

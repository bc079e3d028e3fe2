"""deploy/compose.yaml: valid by the compose specification, and in step with the code. It is not run here."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from application import APPLICATION
from event_relay.destinations import read_destinations
from inbound.reading import known_messages
from inbound.sources import read_sources
from infrastructure.integration.publisher import Publisher
from infrastructure.settings import PREFIX, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
OURS = {
    "command-api": "8001",
    "query-api": "8002",
    "projector": "8003",
    "consumers": "8004",
    "process-manager": "8005",
    "event-relay": "8006",
    "inbound": "8007",
    "payment-webhooks": "8022",
    "signing-page": "8027",
}
ONCE = {"keys", "signer", "kafka-topic"}
BESIDES_KEYS = {
    "consumers": ["documents:/documents", "signatures-data:/signatures:ro"],
    "query-api": ["documents:/documents:ro"],
    "event-relay": ["./relay:/relay:ro"],
    "inbound": ["./inbound:/inbound:ro"],
}
NO_READ_STORE = {"command-api", "payment-webhooks", "signing-page"}


def with_defaults(text: str) -> str:
    """What Compose makes of the variables of a file where none of them is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(with_defaults(COMPOSE.read_text()))


def lasting(compose: Any) -> dict[str, Any]:
    """The services that run on; those that make keys end at once."""
    return {name: service for name, service in compose["services"].items() if name not in ONCE}


def of_profile(compose: Any, profile: str) -> set[str]:
    """The services that a profile starts."""
    return {name for name, service in compose["services"].items() if profile in service.get("profiles", [])}


def require_valid(compose: Any) -> None:
    """Fails for what is not valid by the specification of compose files."""
    vendored = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(compose)


def test_it_is_valid_by_the_compose_specification(compose: Any) -> None:
    require_valid(compose)


def test_without_a_profile_it_is_the_small_one(compose: Any) -> None:
    small = {name for name, service in compose["services"].items() if "profiles" not in service}
    stand_ins = {"eventstore", "mongodb", "payment-provider", "mail"}
    assert small == (OURS.keys() - {"inbound"}) | {"keys", "signer"} | stand_ins


def test_what_is_published_goes_to_the_brokers_of_their_profile(compose: Any) -> None:
    services = compose["services"]
    assert of_profile(compose, "brokers") == {"kafka", "kafka-topic", "rabbitmq"}
    kafka, rabbitmq = read_destinations(
        COMPOSE.parent / "relay/brokers.toml", Publisher(APPLICATION.publications).types
    )
    topic = next(part for part in services["kafka-topic"]["command"] if part.startswith("--topic="))
    assert kafka.url == f"kafka://kafka:9092/{topic.removeprefix('--topic=')}"
    assert "PLAINTEXT://kafka:9092" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert rabbitmq.url.startswith("amqp://rabbitmq:5672/")
    assert "./relay:/relay:ro" in services["event-relay"]["volumes"]


def test_traces_go_by_the_collector_to_jaeger(compose: Any) -> None:
    asked = re.search(r"OTEL_EXPORTER_OTLP_ENDPOINT=http://(\S+):(\d+) docker compose", COMPOSE.read_text())
    assert asked is not None
    collector = yaml.safe_load((COMPOSE.parent / "collector/collector.yaml").read_text())
    assert asked[1] in of_profile(compose, "observability")
    assert collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == f"0.0.0.0:{asked[2]}"
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert pipeline[kind]
            assert set(pipeline[kind]) <= collector[kind].keys()
    assert set(collector["service"]["extensions"]) == collector["extensions"].keys()
    host, _, _ = collector["exporters"]["otlp/jaeger"]["endpoint"].partition(":")
    assert host in of_profile(compose, "observability")
    assert compose["services"]["command-api"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == ""


def test_a_service_gets_the_secrets_that_it_needs_and_no_other(compose: Any) -> None:
    def given(variable: str) -> set[str]:
        return {name for name in OURS if variable in compose["services"][name]["environment"]}

    assert given("EVENTFOLD_PAYMENTS_KEY") == {"consumers"}
    assert given("EVENTFOLD_PAYMENTS_WEBHOOK_SECRET") == {"payment-webhooks"}
    assert given("EVENTFOLD_SIGNATURE_KEY") == {"consumers"}
    assert given("EVENTFOLD_SIGNATURE_WEBHOOK_SECRET") == {"payment-webhooks"}
    assert given("EVENTFOLD_DOCUMENT_SIGNING_KEY_FILE") == {"consumers"}
    assert given("EVENTFOLD_DOCUMENT_LINK_KEY_FILE") == {"consumers", "signing-page"}
    assert given("EVENTFOLD_KEY_STORE") == {*OURS} - {"payment-webhooks", "signing-page", "inbound"}


def test_images_are_pinned_to_a_patch_release(compose: Any) -> None:
    for name, service in compose["services"].items():
        _, _, tag = service["image"].rpartition(":")
        assert tag.split("-")[0].count(".") == 2, f"{name}: {service['image']}"


@pytest.mark.parametrize("name", OURS)
def test_our_services_get_settings_that_exist(compose: Any, name: str) -> None:
    environment = compose["services"][name]["environment"]
    for variable, value in environment.items():
        assert variable.startswith((PREFIX, "OTEL_"))
        assert isinstance(value, str)
    settings = load_settings(environment)
    assert settings.http.host == "0.0.0.0"
    assert settings.event_store.uri.startswith("esdb://eventstore:2113")
    if name not in NO_READ_STORE:
        assert settings.read_store.uri.startswith("mongodb://mongodb:27017/")


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_a_command_that_exists(compose: Any, name: str) -> None:
    assert compose["services"][name]["command"] == [name]
    helped = subprocess.run(
        [sys.executable, "-m", "ops.cli", name, "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert helped.returncode == 0, helped.stderr


@pytest.mark.parametrize(("name", "published"), OURS.items())
def test_ports_and_health_checks_meet_where_the_service_listens(compose: Any, name: str, published: str) -> None:
    service = compose["services"][name]
    listens_on = service["environment"][f"{PREFIX}{name.upper().replace('-', '_')}_PORT_NUMBER"]
    assert service["ports"] == [f"127.0.0.1:{published}:{listens_on}"]
    assert f"http://127.0.0.1:{listens_on}/health/ready" in service["healthcheck"]["test"][-1]
    compile(service["healthcheck"]["test"][-1], "health check", "exec")


def test_the_sandbox_and_those_who_use_it_agree(compose: Any) -> None:
    services = compose["services"]
    options = dict(part.lstrip("-").split("=", 1) for part in services["payment-provider"]["command"][1:])
    webhooks, consumers = (load_settings(services[name]["environment"]) for name in ("payment-webhooks", "consumers"))
    assert options["webhook-url"] == f"http://payment-webhooks:{webhooks.http.payment_webhooks_port}/payment-webhooks"
    assert consumers.payments.url == "http://payment-provider:8021"
    assert (consumers.payments.key, webhooks.payments.webhook_secret) == ("sandbox-key", "sandbox-secret")
    assert consumers.command_calls.url == "http://command-api:8000"


def test_the_signing_sandbox_and_those_who_use_it_agree(compose: Any) -> None:
    """Customers sign on our own page, unless the profile and one variable say so."""
    services = compose["services"]
    assert of_profile(compose, "signing") == {"signature-provider"}
    options = dict(part.lstrip("-").split("=", 1) for part in services["signature-provider"]["command"][1:])
    webhooks, consumers = (load_settings(services[name]["environment"]) for name in ("payment-webhooks", "consumers"))
    assert options["webhook-url"] == f"http://payment-webhooks:{webhooks.http.payment_webhooks_port}/signature-webhooks"
    assert consumers.signatures.url == webhooks.signatures.url == "http://signature-provider:8023"
    assert (consumers.signatures.key, webhooks.signatures.webhook_secret) == ("sandbox-key", "sandbox-secret")
    (shared,) = services["signature-provider"]["volumes"]
    assert shared == f"signatures-data:{options['data-dir']}"
    assert consumers.signatures.ca_file == "/signatures/ca.pem"
    for name in ("consumers", "payment-webhooks"):
        assert load_settings(services[name]["environment"]).signatures.provider == "none"
        variable = '"${EVENTFOLD_SIGNATURE_PROVIDER:-none}"'
        assert COMPOSE.read_text().count(f"EVENTFOLD_SIGNATURE_PROVIDER: {variable}") == 1


def test_every_port_is_on_the_loopback_address(compose: Any) -> None:
    for service in lasting(compose).values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_each_service_waits_for_the_health_of_what_it_needs(compose: Any) -> None:
    services = compose["services"]
    healthy, ended = {"condition": "service_healthy"}, {"keys": {"condition": "service_completed_successfully"}}
    # MongoDB has the keys of personal data.
    assert services["command-api"]["depends_on"] == {"eventstore": healthy, "mongodb": healthy} | ended
    for name in ("projector", "query-api", "event-relay"):
        assert services[name]["depends_on"] == {"eventstore": healthy, "mongodb": healthy} | ended
    needed = {"eventstore": healthy, "mongodb": healthy, "command-api": healthy}
    assert services["process-manager"]["depends_on"] == needed | ended
    assert services["consumers"]["depends_on"] == needed | ended | {"signer": ended["keys"]}
    asked = {"command-api": healthy, "query-api": healthy}
    assert services["signing-page"]["depends_on"] == asked | ended
    needed = {"mongodb": healthy, "command-api": healthy, "rabbitmq": healthy}
    assert services["inbound"]["depends_on"] == needed | ended
    assert all("test" in service["healthcheck"] for service in lasting(compose).values())


def test_the_services_check_tokens_with_the_keys_that_are_made(compose: Any, tmp_path: Path) -> None:
    keys = compose["services"]["keys"]
    assert keys["restart"] == "no"
    command = [part.replace("/data", str(tmp_path)) for part in keys["command"]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "ops.cli", *command], env=environment, check=True, timeout=60)
    for name in OURS:
        service = compose["services"][name]
        settings = load_settings(service["environment"])
        assert service["volumes"] == ["keys:/data:ro", *BESIDES_KEYS.get(name, [])]
        assert "/data" in settings.authentication.jwks_file
        named = [settings.authentication.jwks_file, settings.own_token.key_file, settings.documents.link_key_file]
        assert all(Path(path.replace("/data", str(tmp_path))).is_file() for path in named if path)
        sends = name in ("consumers", "process-manager", "payment-webhooks", "inbound", "signing-page")
        assert bool(settings.own_token.key_file) is sends, "the private key is for those that send commands"
        asks = settings.command_calls.url if sends else "http://command-api:8000"
        assert asks == "http://command-api:8000"


def test_contracts_are_kept_served_and_sealed_with_the_signer_that_is_made(compose: Any, tmp_path: Path) -> None:
    services = compose["services"]
    command = [part.replace("/data", str(tmp_path)) for part in services["signer"]["command"]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "ops.cli", *command], env=environment, check=True, timeout=60)
    makes, serves = (load_settings(services[name]["environment"]) for name in ("consumers", "query-api"))
    assert makes.documents.store == serves.documents.store == "file:/documents"
    for path in (makes.sealing.signing_key_file, makes.sealing.signing_certificate_file):
        assert Path(path.replace("/data", str(tmp_path))).is_file()
    assert serves.sealing.signing_key_file == ""


def test_the_relay_reads_the_destinations_beside_it(compose: Any) -> None:
    service = compose["services"]["event-relay"]
    path = Path(load_settings(service["environment"]).relay.destinations)
    here = COMPOSE.parent / path.relative_to("/")
    assert read_destinations(here, Publisher(APPLICATION.publications).types) == ()
    commented = here.read_text().partition("destinations = []")[2]
    (one,) = tomllib.loads(re.sub("(?m)^# ?", "", commented))["destinations"]
    assert one["kind"] == "webhook"


def test_links_are_made_and_checked_with_the_same_keys_and_lead_to_the_page(compose: Any) -> None:
    services = compose["services"]
    makes, checks = (load_settings(services[name]["environment"]).documents for name in ("consumers", "signing-page"))
    assert makes.link_key_file == checks.link_key_file != ""
    assert makes.signing_page_url == checks.signing_page_url == f"http://127.0.0.1:{OURS['signing-page']}/sign"
    assert load_settings(services["signing-page"]["environment"]).query_calls.url == "http://query-api:8000"


def test_messages_come_from_the_broker_of_their_profile(compose: Any) -> None:
    services = compose["services"]
    assert of_profile(compose, "inbound") == {"inbound", "rabbitmq"}
    path = Path(load_settings(services["inbound"]["environment"]).inbound.sources)
    sources = read_sources(COMPOSE.parent / path.relative_to("/"), list(known_messages(APPLICATION.inbound)))
    assert {one.name for one in sources} == {"warehouse", "crm"}
    assert {(one.amqp_url().host, one.amqp_url().port) for one in sources} == {("rabbitmq", 5672)}
    assert "127.0.0.1:5672:5672" in services["rabbitmq"]["ports"]


def test_what_watches_is_a_profile_of_its_own_over_the_files_beside_it(compose: Any) -> None:
    watching = of_profile(compose, "observability")
    assert watching == {"prometheus", "alertmanager", "grafana", "collector", "jaeger"}
    mounted = [volume for name in watching for volume in compose["services"][name].get("volumes", [])]
    folders = [volume.split(":")[0] for volume in mounted if volume.startswith("./")]
    assert len(folders) == 5
    assert all((COMPOSE.parent / folder).exists() for folder in folders)
    grafana = yaml.safe_load((COMPOSE.parent / "grafana/provisioning/datasources/datasources.yml").read_text())
    for source in grafana["datasources"]:
        host, _, port = source["url"].removeprefix("http://").partition(":")
        assert f"127.0.0.1:{port}:{port}" in compose["services"][host]["ports"]
    (target,) = grafana["datasources"][0]["jsonData"]["exemplarTraceIdDestinations"]
    assert (target["name"], target["datasourceUid"]) == ("trace_id", grafana["datasources"][1]["uid"])


def test_our_services_have_time_to_finish_and_no_privileges(compose: Any) -> None:
    for name in OURS:
        service = compose["services"][name]
        grace = load_settings(service["environment"]).http.shutdown_grace
        # Requests under way may take the grace, and so may the batch under way.
        assert float(service["stop_grace_period"].removesuffix("s")) > 2 * grace
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_data_outlives_its_container(compose: Any) -> None:
    mounted = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    named = {volume.partition(":")[0] for volume in mounted if not volume.startswith("./")}
    assert named == set(compose["volumes"])
    assert {"eventstore-data:/var/lib/eventstore", "mongodb-data:/data/db"} <= set(mounted)

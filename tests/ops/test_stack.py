import sys
from pathlib import Path

import pytest
from rich.console import Console

import ops
from embedded.sandbox.secrets import from_environment
from embedded.supervisor.service import ServiceSpec, State, SupervisedService, Timings
from infrastructure.settings import load_settings
from ops.locations import SANDBOX_KEY, SANDBOX_SECRET
from ops.stack.specs import EVENTSTORE_URI, MAIL_URL, MONGO_URI, PAYMENTS_URL, WEBHOOK_SECRET, Ports, stages
from ops.stack.up_display import UpDisplay

PORTS = Ports.from_base(9000)


def by_name(data_dir: Path, environment: dict[str, str]) -> dict[str, ServiceSpec]:
    return {spec.name: spec for stage in stages(data_dir, "127.0.0.1", PORTS, environment) for spec in stage}


def test_stores_first_then_what_needs_them(tmp_path: Path) -> None:
    names = [[spec.name for spec in stage] for stage in stages(tmp_path, "127.0.0.1", PORTS, {})]
    assert names == [
        ["node", "read-store", "payment-provider", "mail-sink"],
        [
            *("command-api", "projector", "query-api", "consumers", "process-manager", "event-relay"),
            *("payment-webhooks", "signing-page"),
        ],
    ]


def test_services_are_told_where_the_stand_ins_are(tmp_path: Path) -> None:
    services = by_name(tmp_path, {"PATH": "/bin", "EVENTFOLD_LOG_LEVEL": "debug"})
    settings = load_settings(services["query-api"].environment)
    assert settings.event_store.uri == services["node"].url == "esdb://127.0.0.1:9000?Tls=false"
    assert settings.read_store.uri == services["read-store"].url
    assert (settings.http.command_api_port, settings.http.query_api_port, settings.http.projector_port) == (
        9001,
        9002,
        9003,
    )
    assert settings.telemetry.log_level == "debug", "what is configured otherwise stays"
    assert services["query-api"].environment["PATH"] == "/bin"
    assert services["query-api"].url == "http://127.0.0.1:9002"
    assert str(tmp_path / "event-store") in services["node"].command


def test_a_store_that_runs_elsewhere_gets_no_stand_in(tmp_path: Path) -> None:
    elsewhere = {
        EVENTSTORE_URI: "esdb://cluster:2113",
        MONGO_URI: "mongodb://replica-set",
        PAYMENTS_URL: "https://payments.example",
        MAIL_URL: "smtps://mail.example",
    }
    services = by_name(tmp_path, elsewhere)
    assert set(services) == {
        *("command-api", "projector", "query-api", "consumers", "process-manager", "event-relay", "signing-page")
    }
    settings = load_settings(services["projector"].environment)
    assert settings.read_store.uri == "mongodb://replica-set"
    assert (settings.payments.url, settings.mail.url) == ("https://payments.example", "smtps://mail.example")


def test_webhooks_of_a_provider_elsewhere_are_taken_where_its_secret_is_known(tmp_path: Path) -> None:
    elsewhere = {PAYMENTS_URL: "https://payments.example", WEBHOOK_SECRET: "of theirs"}
    assert "payment-webhooks" in by_name(tmp_path, elsewhere)


def test_the_sandbox_and_its_merchants_agree(tmp_path: Path) -> None:
    services = by_name(tmp_path, {})
    provider, settings = services["payment-provider"], load_settings(services["consumers"].environment)
    given = dict(zip(provider.command[5::2], provider.command[6::2], strict=True))
    assert settings.payments.url == provider.url
    told = from_environment(provider.environment)
    assert (settings.payments.key, settings.payments.webhook_secret) == told == (SANDBOX_KEY, SANDBOX_SECRET)
    assert given["--webhook-url"] == services["payment-webhooks"].url + "/payment-webhooks"
    assert settings.command_calls.url == services["command-api"].url
    assert settings.mail.url == f"smtp://127.0.0.1:{PORTS.smtp}"


def test_a_signing_provider_runs_where_it_is_chosen(tmp_path: Path) -> None:
    assert "signature-provider" not in by_name(tmp_path, {})
    services = by_name(tmp_path, {"EVENTFOLD_SIGNATURE_PROVIDER": "sandbox"})
    provider, settings = services["signature-provider"], load_settings(services["consumers"].environment)
    given = dict(zip(provider.command[5::2], provider.command[6::2], strict=True))
    assert (settings.signatures.provider, settings.signatures.url) == ("sandbox", provider.url)
    told = from_environment(provider.environment)
    assert (settings.signatures.key, settings.signatures.webhook_secret) == told == (SANDBOX_KEY, SANDBOX_SECRET)
    assert given["--webhook-url"] == services["payment-webhooks"].url + "/signature-webhooks"
    assert settings.signatures.ca_file == given["--data-dir"] + "/ca.pem"
    elsewhere = {
        "EVENTFOLD_SIGNATURE_PROVIDER": "sandbox",
        "EVENTFOLD_SIGNATURE_URL": "https://signing.example",
        "EVENTFOLD_SIGNATURE_CA_FILE": "/theirs.pem",
        "EVENTFOLD_SIGNATURE_WEBHOOK_SECRET": "of theirs",
        PAYMENTS_URL: "https://payments.example",
    }
    services = by_name(tmp_path, elsewhere)
    assert "signature-provider" not in services
    assert "payment-webhooks" in services


def test_ports_chosen_one_by_one() -> None:
    ports = Ports().with_choices({"node": 5, "query_api": None})
    assert (ports.node, ports.query_api) == (5, 8002)


def test_an_ipv6_host_stands_in_brackets(tmp_path: Path) -> None:
    specs = [spec for stage in stages(tmp_path, "::1", PORTS, {}) for spec in stage]
    assert {spec.name: spec.url for spec in specs}["command-api"] == "http://[::1]:9001"


@pytest.mark.parametrize("terminal", [False, True])
def test_the_display_follows_the_services(tmp_path: Path, terminal: bool) -> None:
    console = Console(width=160, force_terminal=terminal, highlight=False)
    spec = by_name(tmp_path, {})["command-api"]
    with console.capture() as captured, UpDisplay(console, tmp_path) as display:
        service = SupervisedService(spec, tmp_path / "log", timings=Timings(), on_change=display.show)
        service.state = State.READY
        display.show(service)
        service.state, service.last_exit = State.RESTARTING, -9
        display.show(service)
    text = captured.get()
    assert "command-api" in text
    assert "http://127.0.0.1:9001" in text
    if not terminal:
        assert text.splitlines()[1].endswith("was ended by SIGKILL; starting it again")


def test_children_run_this_very_code(tmp_path: Path) -> None:
    command_api = by_name(tmp_path, {"PYTHONPATH": "/elsewhere"})["command-api"]
    assert command_api.command == [sys.executable, "-P", "-m", "ops.cli", "command-api"]
    assert command_api.environment["PYTHONPATH"] == f"{Path(ops.__file__).parents[1]}:/elsewhere"


@pytest.mark.parametrize(
    ("host", "own"),
    [("0.0.0.0", "127.0.0.1"), ("box.example", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost")],
)
def test_the_node_without_passwords_stays_on_this_machine(tmp_path: Path, host: str, own: str) -> None:
    specs = [spec for stage in stages(tmp_path, host, PORTS, {}) for spec in stage]
    assert specs[0].url.startswith(f"esdb://{own}:")


@pytest.mark.parametrize("given", [{}, {"EVENTFOLD_RELAY_DESTINATIONS": "/etc/eventfold/destinations.toml"}])
def test_the_event_relay_runs_with_destinations_and_without(tmp_path: Path, given: dict[str, str]) -> None:
    relay = by_name(tmp_path, given)["event-relay"]
    settings = load_settings(relay.environment)
    assert settings.relay.destinations == given.get("EVENTFOLD_RELAY_DESTINATIONS", "")
    assert relay.url == "http://127.0.0.1:9012"
    assert settings.http.event_relay_port == 9012
    assert "EVENTFOLD_SERVICE_KEY_FILE" not in relay.environment, "it sends no commands"


def test_the_inbound_service_runs_where_there_are_sources(tmp_path: Path) -> None:
    services = by_name(tmp_path, {"EVENTFOLD_INBOUND_SOURCES": "/etc/eventfold/sources.toml"})
    assert services["inbound"].url == f"http://127.0.0.1:{PORTS.inbound}"
    assert load_settings(services["inbound"].environment).http.inbound_port == PORTS.inbound
    assert "EVENTFOLD_SERVICE_KEY_FILE" in services["inbound"].environment, "it sends commands"
    assert "inbound" not in by_name(tmp_path, {})

"""The services of one machine, as the supervisor is to run them."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import embedded
from application import APPLICATION
from embedded.read_store_node import ReadStoreNode, ReadStoreNodeFailed
from embedded.sandbox.secrets import KEY_VARIABLE, SECRET_VARIABLE
from embedded.supervisor.ports import free_ports
from embedded.supervisor.readiness import grpc_ready, http_ready
from embedded.supervisor.service import ServiceSpec
from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.personal_data import make_master_key
from infrastructure.secrets import FILE_SUFFIX
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.loopback import is_loopback
from infrastructure.settings import PREFIX, Settings, load_settings
from ops.errors import CommandFailed
from ops.locations import (
    COMMAND_API,
    CONSUMERS,
    EVENT_RELAY,
    INBOUND,
    MAIL_SINK,
    NODE,
    PAYMENT_PROVIDER,
    PAYMENT_WEBHOOKS,
    PROCESS_MANAGER,
    PROJECTOR,
    QUERY_API,
    READ_STORE,
    SANDBOX_KEY,
    SANDBOX_SECRET,
    SIGNATURE_PROVIDER,
    SIGNING_PAGE,
    own_documents,
    own_key_store,
    own_link_keys,
    own_master_key,
    own_signature_authority,
)

EVENTSTORE_URI = f"{PREFIX}EVENTSTORE_URI"
MONGO_URI = f"{PREFIX}MONGO_URI"
PAYMENTS_URL = f"{PREFIX}PAYMENTS_URL"
PAYMENTS_KEY = f"{PREFIX}PAYMENTS_KEY"
WEBHOOK_SECRET = f"{PREFIX}PAYMENTS_WEBHOOK_SECRET"
CHOSEN_SIGNATURE_PROVIDER = f"{PREFIX}SIGNATURE_PROVIDER"
SIGNATURE_URL = f"{PREFIX}SIGNATURE_URL"
SIGNATURE_KEY = f"{PREFIX}SIGNATURE_KEY"
SIGNATURE_WEBHOOK_SECRET = f"{PREFIX}SIGNATURE_WEBHOOK_SECRET"
SIGNATURE_CA_FILE = f"{PREFIX}SIGNATURE_CA_FILE"
MAIL_URL = f"{PREFIX}MAIL_URL"
AUTH = f"{PREFIX}AUTH"
JWKS_FILE = f"{PREFIX}AUTH_JWKS_FILE"
KEY_FILE = f"{PREFIX}SERVICE_KEY_FILE"
TOKEN = f"{PREFIX}TOKEN"
_CHECKED_WITH = (JWKS_FILE, f"{PREFIX}AUTH_JWKS_URL", f"{PREFIX}AUTH_SECRET")
KEY_STORE = f"{PREFIX}KEY_STORE"
MASTER_KEY_FILE = f"{PREFIX}MASTER_KEY_FILE"
DESTINATIONS = f"{PREFIX}RELAY_DESTINATIONS"
DOCUMENT_STORE = f"{PREFIX}DOCUMENT_STORE"
AUDIT_DIR = f"{PREFIX}AUDIT_DIR"
SIGNING_KEY_FILE = f"{PREFIX}DOCUMENT_SIGNING_KEY_FILE"
SIGNING_CERTIFICATE_FILE = f"{PREFIX}DOCUMENT_SIGNING_CERTIFICATE_FILE"
LINK_KEY_FILE = f"{PREFIX}DOCUMENT_LINK_KEY_FILE"
SIGNING_PAGE_URL = f"{PREFIX}SIGNING_PAGE_URL"


SERVICES = (
    *("command_api", "query_api", "projector", "consumers", "process_manager", "event_relay", "inbound"),
    *("payment_webhooks", "signing_page"),
)
"""The ports of our own services, without the stores and what stands for the outside."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each service, in the order in which `--port-base` numbers them."""

    node: int = 2113
    command_api: int = 8001
    query_api: int = 8002
    projector: int = 8003
    read_store: int = 27017
    consumers: int = 8004
    process_manager: int = 8005
    payment_webhooks: int = 8022
    payment_provider: int = 8021
    mail_sink: int = 8026
    smtp: int = 8025
    node_metrics: int = 2114
    event_relay: int = 8006
    signature_provider: int = 8023
    signing_page: int = 8027
    inbound: int = 8007
    monolith: int = 8000
    gateway: int = 8000
    gateway_admin: int = 8009

    @classmethod
    def from_settings(cls, settings: Settings) -> "Ports":
        """The HTTP ports of the settings, and the usual ports of the stores."""
        return cls(
            command_api=settings.http.command_api_port,
            query_api=settings.http.query_api_port,
            projector=settings.http.projector_port,
            consumers=settings.http.consumers_port,
            process_manager=settings.http.process_manager_port,
            event_relay=settings.http.event_relay_port,
            inbound=settings.http.inbound_port,
            payment_webhooks=settings.http.payment_webhooks_port,
            signing_page=settings.http.signing_page_port,
            monolith=settings.http.monolith_port,
        )

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Consecutive ports."""
        return cls(*range(base, base + len(fields(cls))))

    @classmethod
    def free(cls, host: str) -> "Ports":
        """Ports that are free at this moment."""
        return cls(*free_ports(host, len(fields(cls))))

    def with_choices(self, choices: Mapping[str, int | None]) -> "Ports":
        """These ports, except those chosen one by one."""
        return replace(self, **{name: port for name, port in choices.items() if port is not None})

    def of_one_process(self) -> "Ports":
        """These ports where one process has all the services: they share one."""
        return replace(self, **dict.fromkeys(SERVICES, self.monolith))


def stages(
    data_dir: Path,
    host: str,
    ports: Ports,
    environment: Mapping[str, str] = os.environ,
    *,
    sandbox: Sequence[str] = (),
) -> list[list[ServiceSpec]]:
    """The services in two stages: first the stores and what stands for the outside, then what needs them.

    Where the environment names the URI of a store, of a payment or signing provider or of a mail server, that one is
    used and no stand-in is started for it; a signing provider is started where one is chosen alone. Where the
    environment says how tokens are checked, or that none are, that is so, and otherwise the services get the keys of
    the data directory, which are made here. `sandbox` are further options of the sandbox payment provider.

    Raises:
        CommandFailed: the MongoDB stand-in is needed and not installed, or a setting is wrong.
    """
    own_environment = _with_own_code(environment)
    outside = {name: value for name, value in own_environment.items() if not name.startswith(PREFIX)}
    stores: list[ServiceSpec] = []
    if not _given(environment, EVENTSTORE_URI):
        stores.append(_node(data_dir, _loopback(host), ports, outside))
        own_environment[EVENTSTORE_URI] = stores[-1].url
    if not _given(environment, MONGO_URI):
        stores.append(_read_store(data_dir, host, ports.read_store, outside))
        own_environment[MONGO_URI] = stores[-1].url
    if not environment.get(PAYMENTS_URL):
        stores.append(_payment_provider(data_dir, _loopback(host), ports, own_environment, outside, sandbox))
        own_environment[PAYMENTS_URL] = stores[-1].url
    if environment.get(CHOSEN_SIGNATURE_PROVIDER) == "sandbox" and not environment.get(SIGNATURE_URL):
        stores.append(_signature_provider(data_dir, _loopback(host), ports, own_environment, outside))
        own_environment[SIGNATURE_URL] = stores[-1].url
    if not _given(environment, MAIL_URL):
        stores.append(_mail_sink(data_dir, ports, outside))
        own_environment[MAIL_URL] = f"smtp://127.0.0.1:{ports.smtp}"
    own_environment |= {
        f"{PREFIX}HOST": host,
        f"{PREFIX}COMMAND_API_PORT_NUMBER": str(ports.command_api),
        f"{PREFIX}QUERY_API_PORT_NUMBER": str(ports.query_api),
        f"{PREFIX}PROJECTOR_PORT_NUMBER": str(ports.projector),
        f"{PREFIX}CONSUMERS_PORT_NUMBER": str(ports.consumers),
        f"{PREFIX}PROCESS_MANAGER_PORT_NUMBER": str(ports.process_manager),
        f"{PREFIX}PAYMENT_WEBHOOKS_PORT_NUMBER": str(ports.payment_webhooks),
        f"{PREFIX}EVENT_RELAY_PORT_NUMBER": str(ports.event_relay),
        f"{PREFIX}SIGNING_PAGE_PORT_NUMBER": str(ports.signing_page),
        f"{PREFIX}INBOUND_PORT_NUMBER": str(ports.inbound),
        f"{PREFIX}MONOLITH_PORT_NUMBER": str(ports.monolith),
    }
    own_environment.setdefault(f"{PREFIX}COMMANDS_URL", f"http://{authority(host, ports.command_api)}")
    own_environment.setdefault(f"{PREFIX}QUERIES_URL", f"http://{authority(host, ports.query_api)}")
    own_environment.setdefault(SIGNING_PAGE_URL, f"http://{authority(host, ports.signing_page)}/sign")
    _set_own_keys(data_dir, own_environment)
    _set_own_documents(data_dir, own_environment)
    senders = _authenticated(data_dir, host, own_environment)
    load_settings(own_environment)  # what is wrong is told before anything starts
    services = [
        http_service(COMMAND_API, host, ports.command_api, own_environment),
        http_service(PROJECTOR, host, ports.projector, own_environment),
        http_service(QUERY_API, host, ports.query_api, own_environment),
    ]
    if APPLICATION.consumers:
        services.append(http_service(CONSUMERS, host, ports.consumers, senders))
    if APPLICATION.processes:
        services.append(http_service(PROCESS_MANAGER, host, ports.process_manager, senders))
    if APPLICATION.publications:
        services.append(http_service(EVENT_RELAY, host, ports.event_relay, own_environment))
    if load_settings(own_environment).inbound.sources:
        services.append(http_service(INBOUND, host, ports.inbound, senders))
    if _given(own_environment, WEBHOOK_SECRET) or _given(own_environment, SIGNATURE_WEBHOOK_SECRET):
        services.append(http_service(PAYMENT_WEBHOOKS, host, ports.payment_webhooks, senders))
    services.append(http_service(SIGNING_PAGE, host, ports.signing_page, senders))
    return [stores, services]


def _given(environment: Mapping[str, str], variable: str) -> bool:
    """Whether it is set, by itself or by a file."""
    return bool(environment.get(variable) or environment.get(variable + FILE_SUFFIX))


def _authenticated(data_dir: Path, host: str, environment: dict[str, str]) -> dict[str, str]:
    """The environment of services that send commands. Gives all of them the keys of the data directory where nothing
    else is said of authentication; the private one is for those that send."""
    if environment.get(AUTH) == "off":
        if not is_loopback(host):
            raise CommandFailed(f"without authentication nothing may listen on {host}, which others can reach")
        return environment
    if any(_given(environment, name) for name in _CHECKED_WITH):
        return environment
    keys = DevelopmentKeys(data_dir)
    keys.make()
    environment[JWKS_FILE] = str(keys.jwks)
    for name in (TOKEN, TOKEN + FILE_SUFFIX, KEY_FILE):
        environment.pop(name, None)  # it is for whoever has set it, and his commands
    return {**environment, KEY_FILE: str(keys.signing_key)}


def _set_own_keys(data_dir: Path, environment: dict[str, str]) -> None:
    """Names the keys of personal data in the data directory, where the environment names no others; makes the master
    key at the first time."""
    if not environment.get(MASTER_KEY_FILE):
        path = own_master_key(data_dir)
        make_master_key(path)
        environment[MASTER_KEY_FILE] = str(path)
    if not environment.get(KEY_STORE):
        environment[KEY_STORE] = f"file:{own_key_store(data_dir)}"
        own_key_store(data_dir).parent.mkdir(parents=True, exist_ok=True)


def _set_own_documents(data_dir: Path, environment: dict[str, str]) -> None:
    """Documents in the data directory, and a signer and keys of signing links that are made there at the first time,
    where the environment names no others."""
    if not environment.get(DOCUMENT_STORE):
        environment[DOCUMENT_STORE] = f"file:{own_documents(data_dir)}"
    if not environment.get(AUDIT_DIR):
        environment[AUDIT_DIR] = str(data_dir.resolve() / "audit")
    if not environment.get(SIGNING_KEY_FILE) and not environment.get(SIGNING_CERTIFICATE_FILE):
        signer = DevelopmentCa(data_dir.resolve() / "keys" / "documents")
        signer.make()
        environment[SIGNING_KEY_FILE] = str(signer.signing_key)
        environment[SIGNING_CERTIFICATE_FILE] = str(signer.signing_certificates)
    if not environment.get(LINK_KEY_FILE):
        # Here, because the command line starts without what makes keys.
        from infrastructure.security.link_keys import make_link_keys

        path = own_link_keys(data_dir)
        make_link_keys(path)
        environment[LINK_KEY_FILE] = str(path)


def _loopback(host: str) -> str:
    """The node's address, on this machine alone: it asks for no passwords here, and only our own services use it."""
    return host if is_loopback(host) else "127.0.0.1"


def _node(data_dir: Path, host: str, ports: Ports, environment: Mapping[str, str]) -> ServiceSpec:
    port = ports.node
    arguments = ["--host", host, "--port", str(port), "--data-dir", str(data_dir / "event-store")]
    arguments += ["--metrics-host", host, "--metrics-port", str(ports.node_metrics)]
    return ServiceSpec(
        name=NODE,
        command=[*eventfold_command(), "node", *arguments],
        host=host,
        port=port,
        url=f"esdb://{authority(host, port)}?Tls=false",
        ready=lambda: grpc_ready(host, port),
        environment=environment,
    )


def _read_store(data_dir: Path, host: str, port: int, environment: Mapping[str, str]) -> ServiceSpec:
    node = ReadStoreNode(data_dir / "read-store", port, host)
    try:
        # The supervisor keeps what it writes to stderr; a log file of its own would only repeat that.
        command = node.command(log_file=Path(os.devnull))
    except ReadStoreNodeFailed as error:
        raise CommandFailed(str(error), f"or name a MongoDB server in {MONGO_URI}") from error
    return ServiceSpec(
        name=READ_STORE,
        command=command,
        host=host,
        port=port,
        url=node.uri,
        ready=node.ready,
        environment=environment,
        prepare=node.prepare,
    )


def _payment_provider(
    data_dir: Path,
    host: str,
    ports: Ports,
    environment: dict[str, str],
    own_environment: Mapping[str, str],
    options: Sequence[str],
) -> ServiceSpec:
    """Sets what its merchants need, where their `environment` does not; it gets the same, and not on its command line,
    which everybody on the machine can read."""
    for variable, default in ((PAYMENTS_KEY, SANDBOX_KEY), (WEBHOOK_SECRET, SANDBOX_SECRET)):
        if not _given(environment, variable):
            environment[variable] = default
    payments = load_settings(environment).payments
    secrets = payments.key, payments.webhook_secret
    webhooks = f"http://{authority(host, ports.payment_webhooks)}/payment-webhooks"
    return _sandbox(
        PAYMENT_PROVIDER, data_dir, host, ports.payment_provider, webhooks, secrets, own_environment, options
    )


def _signature_provider(
    data_dir: Path, host: str, ports: Ports, environment: dict[str, str], own_environment: Mapping[str, str]
) -> ServiceSpec:
    """As `_payment_provider`; its authority is the one that is trusted, where the `environment` names no others."""
    for variable, default in ((SIGNATURE_KEY, SANDBOX_KEY), (SIGNATURE_WEBHOOK_SECRET, SANDBOX_SECRET)):
        if not _given(environment, variable):
            environment[variable] = default
    if not environment.get(SIGNATURE_CA_FILE):
        environment[SIGNATURE_CA_FILE] = str(own_signature_authority(data_dir))
    signatures = load_settings(environment).signatures
    secrets = signatures.key, signatures.webhook_secret
    webhooks = f"http://{authority(host, ports.payment_webhooks)}/signature-webhooks"
    return _sandbox(
        SIGNATURE_PROVIDER, data_dir, host, ports.signature_provider, webhooks, secrets, own_environment, ()
    )


def _sandbox(
    name: str,
    data_dir: Path,
    host: str,
    port: int,
    webhook_url: str,
    secrets: tuple[str, str],
    environment: Mapping[str, str],
    options: Sequence[str],
) -> ServiceSpec:
    """A provider that stands for somebody else's; `secrets` are its API key and that of its webhooks."""
    url = f"http://{authority(host, port)}"
    arguments = {
        "--host": host,
        "--port": str(port),
        "--data-dir": str(data_dir / name),
        "--webhook-url": webhook_url,
    }
    given = [part for pair in arguments.items() for part in pair]
    key, secret = secrets
    return ServiceSpec(
        name=name,
        command=[*eventfold_command(), name, *given, *options],
        host=host,
        port=port,
        url=url,
        ready=lambda: http_ready(f"{url}/health/ready"),
        environment={**environment, KEY_VARIABLE: key, SECRET_VARIABLE: secret},
    )


def _mail_sink(data_dir: Path, ports: Ports, environment: Mapping[str, str]) -> ServiceSpec:
    host, url = "127.0.0.1", f"http://127.0.0.1:{ports.mail_sink}"
    arguments = ["--port", str(ports.mail_sink), "--smtp-port", str(ports.smtp), "--data-dir", str(data_dir / "mails")]
    return ServiceSpec(
        name=MAIL_SINK,
        command=[sys.executable, "-P", "-m", "embedded.mail_sink", *arguments],
        host=host,
        port=ports.mail_sink,
        url=url,
        ready=lambda: http_ready(f"{url}/health/ready"),
        environment=environment,
    )


def http_service(name: str, host: str, port: int, environment: Mapping[str, str]) -> ServiceSpec:
    """A service of ours that is started by its name."""
    url = f"http://{authority(host, port)}"
    # The supervisor runs one process of each service at a time, so one that is started again may take its own place at
    # once.
    own_name = environment.get(f"{PREFIX}CONSUMER_NAME") or name
    return ServiceSpec(
        name=name,
        command=[*eventfold_command(), name],
        host=host,
        port=port,
        url=url,
        ready=lambda: http_ready(f"{url}/health/ready"),
        environment={**environment, f"{PREFIX}CONSUMER_NAME": own_name},
    )


def eventfold_command() -> list[str]:
    """What runs the `eventfold` of this very code."""
    # -P: a folder named `domain` or `ops` in the current directory must not be imported instead of ours.
    return [sys.executable, "-P", "-m", "ops.cli"]


def _with_own_code(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a child runs the same code as this process."""
    root = str(Path(embedded.__file__).parents[1])
    others = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": os.pathsep.join([root, others] if others else [root])}


def authority(host: str, port: int) -> str:
    """Host and port as they stand in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

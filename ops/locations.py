"""Where services and stores are: where the stack on a data directory has them, else where the settings say."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from embedded.sandbox.secrets import DEFAULT_KEY, DEFAULT_SECRET
from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.settings import Settings
from ops.errors import CommandFailed
from ops.options import add_data_dir, settings

if TYPE_CHECKING:
    from infrastructure.security.own_tokens import TokenSource

# The names of the services, as services.json has them.
NODE = "node"
READ_STORE = "read-store"
COMMAND_API = "command-api"
QUERY_API = "query-api"
PROJECTOR = "projector"
CONSUMERS = "consumers"
PROCESS_MANAGER = "process-manager"
EVENT_RELAY = "event-relay"
INBOUND = "inbound"
PAYMENT_WEBHOOKS = "payment-webhooks"
SIGNING_PAGE = "signing-page"
PAYMENT_PROVIDER = "payment-provider"
SIGNATURE_PROVIDER = "signature-provider"
MAIL_SINK = "mail-sink"
MONOLITH = "monolith"
GATEWAY = "gateway"

# What a sandbox provider asks of its merchants on this machine, when nothing else is set.
SANDBOX_KEY = DEFAULT_KEY
SANDBOX_SECRET = DEFAULT_SECRET


def running_stack(data_dir: Path) -> dict[str, ServiceEntry]:
    """The services of the stack that runs on the data directory; empty when none runs.

    Raises:
        CommandFailed: services.json can't be read.
    """
    run_directory = RunDirectory(data_dir)
    if not run_directory.is_owned():
        return {}
    try:
        return run_directory.read_services()
    except (msgspec.DecodeError, OSError) as error:
        raise CommandFailed(f"{run_directory.services_file} can't be read: {error}") from error


def service_urls(data_dir: Path, settings: Settings) -> dict[str, str]:
    """The base URLs of the HTTP services by name: those that run, or would with these settings."""
    from application import APPLICATION  # with all that its consumers need, which `--help` does not

    host = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    configured = {
        COMMAND_API: f"http://{host}:{settings.http.command_api_port}",
        PROJECTOR: f"http://{host}:{settings.http.projector_port}",
        QUERY_API: f"http://{host}:{settings.http.query_api_port}",
    }
    running = running_stack(data_dir)
    others = {
        CONSUMERS: (settings.http.consumers_port, APPLICATION.consumers),
        PROCESS_MANAGER: (settings.http.process_manager_port, APPLICATION.processes),
        EVENT_RELAY: (settings.http.event_relay_port, APPLICATION.publications),
        INBOUND: (settings.http.inbound_port, settings.inbound.sources),
        PAYMENT_WEBHOOKS: (
            settings.http.payment_webhooks_port,
            settings.payments.webhook_secret or settings.signatures.webhook_secret,
        ),
        SIGNING_PAGE: (settings.http.signing_page_port, settings.documents.link_key_file),
    }
    for name, (port, is_used) in others.items():
        if is_used or name in running:
            configured[name] = f"http://{host}:{port}"
    return {name: running[name].url if name in running else url for name, url in configured.items()}


def with_own_stores(data_dir: Path, settings: Settings) -> Settings:
    """The settings with the stand-ins of the running stack, where it has some, as its stores."""
    running = running_stack(data_dir)
    stores = {NODE: "eventstore_uri", READ_STORE: "mongo_uri"}
    return settings.changed(**{field: running[name].url for name, field in stores.items() if name in running})


def with_own_keys(data_dir: Path, settings: Settings) -> Settings:
    """The settings with the keys of personal data that `eventfold up` has made in the data directory, where it has and
    the settings name none."""
    found = {"key_store": own_key_store(data_dir), "master_key_file": own_master_key(data_dir)}
    chosen = {
        name: f"file:{path}" if name == "key_store" else str(path)
        for name, path in found.items()
        if path.exists() and not getattr(settings.personal_data, name)
    }
    return settings.changed(**chosen)


def with_own_documents(data_dir: Path, settings: Settings) -> Settings:
    """The settings with the documents that `eventfold up` keeps in the data directory, where it has some and the
    settings name no other store."""
    own = own_documents(data_dir)
    if settings.documents.store or not own.exists():
        return settings
    return settings.changed(document_store=f"file:{own}")


def stack_settings(args: argparse.Namespace) -> Settings:
    """The settings with the stores, keys and documents of the stack on --data-dir, where they name no others."""
    data_dir = Path(args.data_dir)
    return with_own_documents(data_dir, with_own_keys(data_dir, with_own_stores(data_dir, settings())))


def own_key_store(data_dir: Path) -> Path:
    """Where `eventfold up` keeps the keys of personal data: not with the log, so that a backup of that has none."""
    return data_dir.resolve() / "keys" / "keys.db"


def own_link_keys(data_dir: Path) -> Path:
    """Where `eventfold up` keeps the keys of signing links, when no others are set."""
    return data_dir.resolve() / "keys" / "signing-links.json"


def own_master_key(data_dir: Path) -> Path:
    """Where `eventfold up` keeps the master key, when no other is set."""
    return data_dir.resolve() / "keys" / "master.key"


def with_own_provider(data_dir: Path, settings: Settings) -> Settings:
    """The settings with the sandbox provider of the running stack, where it has one, as the payment provider."""
    running = running_stack(data_dir)
    if PAYMENT_PROVIDER not in running:
        return settings
    return settings.changed(
        payments_url=running[PAYMENT_PROVIDER].url, payments_key=settings.payments.key or SANDBOX_KEY
    )


def with_own_signature_provider(data_dir: Path, settings: Settings) -> Settings:
    """The settings with the sandbox signing provider of the running stack, where it has one."""
    running = running_stack(data_dir)
    if SIGNATURE_PROVIDER not in running:
        return settings
    return settings.changed(
        signature_provider="sandbox",
        signature_url=running[SIGNATURE_PROVIDER].url,
        signature_key=settings.signatures.key or SANDBOX_KEY,
        signature_ca_file=settings.signatures.ca_file or str(own_signature_authority(data_dir)),
    )


def own_documents(data_dir: Path) -> Path:
    """Where `eventfold up` keeps documents, when no other place is set."""
    return data_dir.resolve() / "documents"


def own_signature_authority(data_dir: Path) -> Path:
    """The authority of the sandbox signing provider that `eventfold up` runs."""
    return data_dir.resolve() / SIGNATURE_PROVIDER / "ca.pem"


def short_url(url: str) -> str:
    """A URL for people: without the connection options."""
    return url.partition("?")[0].rstrip("/")


def add_projector(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --projector, which say where the projector is."""
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument(
        "--projector",
        metavar="URL",
        help="the projector, any instance of it (default: that of --data-dir, else as the EVENTFOLD_* variables say)",
    )


class Address(NamedTuple):
    """Where a service is, and what proves to it who asks."""

    url: str
    tokens: "TokenSource"


def projector_address(args: argparse.Namespace) -> Address:
    """The URL given, else that of the stack on the data directory, else that of the settings; with our credentials."""
    return _located(args, PROJECTOR, args.projector)


def add_process_manager(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --process-manager, which say where the process manager is."""
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument(
        "--process-manager",
        metavar="URL",
        help="the process manager, any instance of it (default: that of --data-dir, else as the EVENTFOLD_* variables "
        "say)",
    )


def process_manager_address(args: argparse.Namespace) -> Address:
    """As `projector_address`, for the option --process-manager."""
    return _located(args, PROCESS_MANAGER, args.process_manager)


def add_event_relay(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --event-relay, which say where the event relay is."""
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument(
        "--event-relay",
        metavar="URL",
        help="the event relay, any instance of it (default: that of --data-dir, else as the EVENTFOLD_* variables say)",
    )


def event_relay_address(args: argparse.Namespace) -> Address:
    """As `projector_address`, for the option --event-relay."""
    return _located(args, EVENT_RELAY, args.event_relay)


def add_inbound(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --inbound, which say where the inbound service is."""
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument(
        "--inbound",
        metavar="URL",
        help="the inbound service, any instance of it (default: that of --data-dir, else as the EVENTFOLD_* variables "
        "say)",
    )


def inbound_address(args: argparse.Namespace) -> Address:
    """As `projector_address`, for the option --inbound. Raises CommandFailed where none is known."""
    if not args.inbound and INBOUND not in service_urls(args.data_dir, settings()):
        raise CommandFailed(
            "no inbound service is known here", "set EVENTFOLD_INBOUND_SOURCES, or name one with --inbound URL"
        )
    return _located(args, INBOUND, args.inbound)


def command_api_address(args: argparse.Namespace) -> Address:
    """As `projector_address`, for the option --command-api."""
    return _located(args, COMMAND_API, args.command_api)


def query_api_address(args: argparse.Namespace) -> Address:
    """As `projector_address`, for the option --query-api."""
    return _located(args, QUERY_API, args.query_api)


def _located(args: argparse.Namespace, service: str, chosen: str | None) -> Address:
    from ops.credentials import credentials  # with the cryptography that `--help` does not need

    configured = settings()
    url = str(chosen).rstrip("/") if chosen else service_urls(args.data_dir, configured)[service]
    return Address(url, credentials(args.data_dir, configured, url))

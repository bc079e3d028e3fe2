"""Where services and stores are: where the stack on a data directory has them, else where the settings say."""

import argparse
from pathlib import Path

import msgspec

from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.settings import Settings
from ops.errors import CommandFailed
from ops.options import add_data_dir, settings

# The names of the services, as services.json has them.
NODE = "node"
READ_STORE = "read-store"
COMMAND_API = "command-api"
QUERY_API = "query-api"
PROJECTOR = "projector"
CONSUMERS = "consumers"
PROCESS_MANAGER = "process-manager"
PAYMENT_WEBHOOKS = "payment-webhooks"
PAYMENT_PROVIDER = "payment-provider"
MAIL_SINK = "mail-sink"

# What the sandbox provider asks of its merchants on this machine, when nothing else is set.
SANDBOX_KEY = "sandbox-key"
SANDBOX_SECRET = "sandbox-secret"  # noqa: S105 - of the sandbox, which moves no money


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
    """The base URLs of the HTTP services by name."""
    from application import APPLICATION  # with all that its consumers need, which `--help` does not

    host = f"[{settings.http.host}]" if ":" in settings.http.host else settings.http.host
    configured = {
        COMMAND_API: f"http://{host}:{settings.http.command_api_port}",
        PROJECTOR: f"http://{host}:{settings.http.projector_port}",
        QUERY_API: f"http://{host}:{settings.http.query_api_port}",
        **({PROCESS_MANAGER: f"http://{host}:{settings.http.process_manager_port}"} if APPLICATION.processes else {}),
    }
    running = running_stack(data_dir)
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


def own_key_store(data_dir: Path) -> Path:
    """Where `eventfold up` keeps the keys of personal data: not with the log, so that a backup of that has none."""
    return data_dir.resolve() / "keys" / "keys.db"


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


def projector_url(args: argparse.Namespace) -> str:
    """The URL given, else that of the stack on the data directory, else that of the settings."""
    return str(args.projector).rstrip("/") if args.projector else _located(args, PROJECTOR)


def add_process_manager(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --process-manager, which say where the process manager is."""
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument(
        "--process-manager",
        metavar="URL",
        help="the process manager, any instance of it (default: that of --data-dir, else as the EVENTFOLD_* variables "
        "say)",
    )


def process_manager_url(args: argparse.Namespace) -> str:
    """As `projector_url`, for the option --process-manager."""
    if args.process_manager:
        return str(args.process_manager).rstrip("/")
    return _located(args, PROCESS_MANAGER)


def command_api_url(args: argparse.Namespace) -> str:
    """As `projector_url`, for the option --command-api."""
    return str(args.command_api).rstrip("/") if args.command_api else _located(args, COMMAND_API)


def _located(args: argparse.Namespace, service: str) -> str:
    return service_urls(args.data_dir, settings())[service]

"""Where services and stores are: as the running stack's services.json on a data directory says, else as configured."""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.settings import Settings
from ops.errors import CommandFailed
from ops.stack import NODE, READ_STORE


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
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    configured = {
        "command-api": f"http://{host}:{settings.command_api_port}",
        "projector": f"http://{host}:{settings.projector_port}",
        "query-api": f"http://{host}:{settings.query_api_port}",
    }
    running = running_stack(data_dir)
    return {name: running[name].url if name in running else url for name, url in configured.items()}


def with_own_stores(data_dir: Path, settings: Settings) -> Settings:
    """The settings with the stand-ins of the running stack, where it has some, as its stores."""
    running = running_stack(data_dir)
    stores = {NODE: "eventstore_uri", READ_STORE: "mongo_uri"}
    return replace(settings, **{field: running[name].url for name, field in stores.items() if name in running})

"""What `eventfold up` shows: a live table on a terminal, one line for each change elsewhere."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from embedded.supervisor.child import describe_exit
from embedded.supervisor.service import State, SupervisedService
from embedded.supervisor.supervisor import Supervisor
from infrastructure.secrets import FILE_SUFFIX
from infrastructure.security.development_keys import DevelopmentKeys
from ops.locations import short_url
from ops.stack.specs import EVENTSTORE_URI, JWKS_FILE, MONGO_URI

STATE_STYLES = {
    State.READY: "green",
    State.STARTING: "yellow",
    State.RESTARTING: "red",
    State.STOPPING: "yellow",
}


class UpDisplay:
    """Shows the services' states; a context manager, because the live table has to be closed."""

    def __init__(self, console: Console, data_dir: Path) -> None:
        self._console = console
        self._data_dir = data_dir
        self._services: dict[str, SupervisedService] = {}
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> "UpDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, service: SupervisedService) -> None:
        """A service has changed its state."""
        self._services[service.spec.name] = service
        if self._live:
            self._live.update(service_table(self._services.values()), refresh=True)
        elif service.state is State.READY:
            self._line(f"{service.spec.name:<16} {short_url(service.spec.url)}  pid {service.pid}  ready")
        elif service.state is State.RESTARTING:
            self._line(f"{service.spec.name:<16} {describe_exit(service.last_exit or 0)}; starting it again")

    def all_ready(self, supervisor: Supervisor) -> None:
        """Everything runs."""
        self._line(f"All {len(supervisor.services)} services are ready; data and logs in {self._data_dir}.")
        for variable in (EVENTSTORE_URI, MONGO_URI):
            if os.environ.get(variable) or os.environ.get(variable + FILE_SUFFIX):
                # The URI itself may hold a password.
                self._line(f"{variable} is set: that server is used, and no stand-in was started for it.")
        keys = DevelopmentKeys(self._data_dir)
        if any(one.spec.environment.get(JWKS_FILE) == str(keys.jwks) for one in supervisor.services.values()):
            self._line(f"Requests need a token: eventfold token --as NAME --role ROLE; keys in {keys.directory}.")
        self._line("Ctrl-C stops them.")

    def stopping(self) -> None:
        """Everything is being stopped."""
        self._line("Stopping.")

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False)


def service_table(services: Iterable[SupervisedService]) -> Table:
    """One line for each service."""
    table = Table(box=None, pad_edge=False)
    for heading in ("service", "URL", "pid", "state", "restarts"):
        table.add_column(heading, no_wrap=True)
    for service in services:
        state = f"[{STATE_STYLES.get(service.state, 'dim')}]{service.state}[/]"
        pid = str(service.pid or "-")
        table.add_row(service.spec.name, short_url(service.spec.url), pid, state, str(service.restarts or ""))
    return table

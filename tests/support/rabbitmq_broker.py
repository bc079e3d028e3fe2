"""A real RabbitMQ for tests: a node of its own, which can be killed and started again over the same data.

It is started once a session, as a process of the tests beside any service that the machine may have. It takes USER at
`uri`, and by TLS at `secure_uri`.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.embedded.event_store_node.access_support import certificate
from tests.support.ports import free_port

MISSING = "there is no RabbitMQ (Debian: rabbitmq-server)"
USER, PASSWORD = "eventfold", "a-password-of-the-tests"
_STARTS_WITHIN = 240.0


def rabbitmq_server() -> Path | None:
    """The server's script: RABBITMQ_SERVER, where Debian has it, or on the path."""
    if named := os.environ.get("RABBITMQ_SERVER"):
        return Path(named)
    # Debian's command on the path changes the user and, with it, loses the variables that this is about.
    for found in ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server")):
        if found is not None and Path(found).is_file():
            return Path(found)
    return None


class RabbitMqBroker:
    """Listens at `host` alone; `inside` makes the command line that runs a command where that host is."""

    def __init__(
        self,
        script: Path,
        folder: Path,
        host: str = "127.0.0.1",
        inside: Callable[[Sequence[str]], list[str]] = list,
    ) -> None:
        self._script, self._folder, self._inside = script, folder, inside
        self.host, self.port = host, free_port()
        secure, distribution, names = free_port(), free_port(), free_port()
        self.uri = f"amqp://{USER}:{PASSWORD}@{host}:{self.port}/"
        self.secure_uri = f"amqps://{USER}:{PASSWORD}@{host}:{secure}/"
        self.authority, key = certificate(folder, "rabbitmq", hosts=f"IP:{host},DNS:localhost")
        settings = {
            "listeners.tcp.1": f"{host}:{self.port}",
            "listeners.ssl.1": f"{host}:{secure}",
            "ssl_options.cacertfile": self.authority,
            "ssl_options.certfile": self.authority,
            "ssl_options.keyfile": key,
            "default_user": USER,
            "default_pass": PASSWORD,
            "loopback_users": "none",
            "disk_free_limit.absolute": "1MB",
            "log.file": "false",
            "log.console": "true",
            "log.console.level": "warning",
        }
        (folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (folder / "enabled_plugins").write_text("[].\n")
        self._environ = {
            **os.environ,
            "HOME": str(folder),  # for the cookie
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            # Its schedulers do not spin while there is nothing to do: the machine has others to serve.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} "
            "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        self._names = [epmd() or "epmd", "-port", str(names), "-address", "127.0.0.1"]
        self._name_server: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, over new data or those of the last time, and waits until it answers."""
        # Without a name server here the node would start one that goes on for ever.
        if self._name_server is None:
            self._name_server = self._run(self._names)
        self._process = self._run([str(self._script)])
        deadline = time.monotonic() + _STARTS_WITHIN
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"RabbitMQ does not start: {self._said()}")
            time.sleep(0.1)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to the node, and waits for the end."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the node; one that it has been stopped by leaves its connections open."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def end(self) -> None:
        """Kills it, and its name server."""
        self.kill()
        if self._name_server is not None:
            self._name_server.kill()
            self._name_server.wait()
            self._name_server = None

    def answers(self) -> bool:
        """Whether it begins a conversation in AMQP."""
        try:
            with socket.create_connection((self.host, self.port), timeout=2) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(7)[:3] == b"\x01\x00\x00"  # a method on channel 0: Connection.Start
        except OSError:
            return False

    def keeps(self, queue: str) -> bool:
        """Whether a quorum queue outlives a kill: it writes down which it has half a second late, and one that is not
        there is never heard of again."""
        names = (self._folder / "data").glob("*/quorum/*/names.dets")
        written = re.compile(rb"%2F_" + re.escape(queue.encode()) + rb"(?!-)")  # not the beginning of another's name
        return any(written.search(one.read_bytes()) for one in names)

    def _run(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        # A session of its own: the script and the node are killed together.
        with (self._folder / "rabbitmq.log").open("ab") as log:
            return subprocess.Popen(
                self._inside(command), stdout=log, stderr=log, env=self._environ, start_new_session=True
            )

    def _said(self) -> str:
        return (self._folder / "rabbitmq.log").read_text()[-3000:]


def epmd() -> str | None:
    """Erlang's name server."""
    return shutil.which("epmd")


def rabbitmq_or_skip(
    folder: Path, host: str = "127.0.0.1", inside: Callable[[Sequence[str]], list[str]] = list
) -> RabbitMqBroker:
    """A broker to be started; skips where there is none. `host` and `inside` as for `RabbitMqBroker`."""
    script = rabbitmq_server()
    if script is None or epmd() is None:
        pytest.skip(MISSING)
    return RabbitMqBroker(script, folder, host, inside)


@pytest.fixture(scope="package")
def package_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMqBroker]:
    """The package's broker; tests ask for `rabbitmq`."""
    broker = rabbitmq_or_skip(tmp_path_factory.mktemp("rabbitmq"))
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


@pytest.fixture
def rabbitmq(package_rabbitmq: RabbitMqBroker) -> RabbitMqBroker:
    """The package's broker, which runs. A test may kill it, and uses exchanges and queues of its own."""
    if not package_rabbitmq.running:
        package_rabbitmq.start()
    return package_rabbitmq

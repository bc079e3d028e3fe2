"""A real nx-27017 for tests: started once a session, one database per test, killed by its process id at the end."""

import asyncio
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from infrastructure.read_store import ReadStoreUnavailable, probe
from tests.support.places import HERE, Place
from tests.support.ports import free_port

STARTS_WITHIN = 30.0


class ReadStoreServer:
    """One nx-27017 process over one data directory; it can be killed and started again on the same port.

    `options` are those of its command line, such as `--plain`.
    """

    def __init__(self, folder: Path, *options: str, place: Place = HERE) -> None:
        self.port = free_port()
        self.uri = f"mongodb://{place.host}:{self.port}/?directConnection=true&w=majority&journal=true"
        self.folder = folder
        self._options = options
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and waits until a write reads back."""
        pid_file = self.folder / "nx.pid"
        pid_file.unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "embedded.read_store_server"),
            *self._options,
            *("--data-dir", str(self.folder / "data"), "--host", self._place.host, "-p", str(self.port)),
            *("--log-file", str(self.folder / "nx.log"), "--pid-file", str(pid_file)),
        ]
        self._process = subprocess.Popen(
            self._place.inside(command),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                asyncio.run(probe(self.uri, "readiness"))
                return
            except ReadStoreUnavailable:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None


class ReadStoreDatabase(Struct):
    """Where a test finds its own, empty database."""

    uri: str
    name: str


@pytest.fixture(scope="package")
def read_store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadStoreServer]:
    """The package's read store, so that it is gone when the others run; a test that kills one starts its own."""
    server = ReadStoreServer(tmp_path_factory.mktemp("read_store"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def read_store_database(read_store_server: ReadStoreServer, request: pytest.FixtureRequest) -> ReadStoreDatabase:
    """An empty database of the package's read store."""
    test = re.sub(r"[^a-z0-9]+", "_", request.node.name.lower())[:30]
    return ReadStoreDatabase(read_store_server.uri, f"test_{test}_{uuid.uuid4().hex[:8]}")

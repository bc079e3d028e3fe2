"""The MongoDB stand-in: how to start nx-27017 on a data directory, and when it is ready.

It is experimental, for one machine only, and stores nothing that can't be rebuilt from the event store.
"""

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from embedded.supervisor.child import Child, describe_exit, log_tail
from embedded.supervisor.readiness import NotReady, tcp_ready, until_ready

PROBE_DATABASE = "eventfold_probe"


class ReadStoreNodeFailed(Exception):
    """nx-27017 is not installed, ended, or did not become ready."""


class DataDirectoryInUse(OSError):
    """Another nx-27017 serves this data directory."""


class ReadStoreNode:
    """One nx-27017 on one data directory; `prepare`, `command` and `ready` are what a supervisor needs."""

    def __init__(self, data_dir: Path, port: int, host: str = "127.0.0.1") -> None:
        self.data_dir = data_dir
        self.host = host
        self.port = port
        self._pid_file = data_dir / "nx-27017.pid"

    @property
    def uri(self) -> str:
        """The connection string for MongoDB clients."""
        return f"mongodb://{self.host}:{self.port}/?directConnection=true&w=majority&journal=true"

    def command(self, log_file: Path) -> list[str]:
        """The command line; nx-27017 writes its log to that file and to stderr.

        Raises:
            ReadStoreNodeFailed: nx-27017 is not installed.
        """
        if find_spec("nx_27017") is None:
            raise ReadStoreNodeFailed("nx-27017 is not installed here: pip install 'eventfold[embedded]'")
        return [
            *(sys.executable, "-m", "embedded.read_store_server"),
            *("--data-dir", str(self.data_dir / "databases"), "--host", self.host, "-p", str(self.port)),
            *("--log-file", str(log_file), "--pid-file", str(self._pid_file)),
        ]

    @contextlib.contextmanager
    def prepare(self) -> Iterator[Sequence[int]]:
        """Take the data directory for the child that is started inside the block, and remove what a crash left.

        It yields the descriptor of the lock: the child inherits it, so the lock lives exactly as long as the child.

        Raises:
            DataDirectoryInUse: another process serves the directory.
        """
        (self.data_dir / "databases").mkdir(parents=True, exist_ok=True)
        lock = os.open(self.data_dir / "nx-27017.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataDirectoryInUse(f"another read store serves {self.data_dir}") from None
            # nx-27017 refuses to start when the pid of a dead process has been given to another one.
            self._pid_file.unlink(missing_ok=True)
            yield (lock,)
        finally:
            os.close(lock)

    async def ready(self) -> None:
        """Ready when a ping answers and a write reads back.

        Raises:
            NotReady: not yet.
        """
        await tcp_ready(self.host, self.port)
        from infrastructure.read_store import ReadStoreUnavailable, probe

        try:
            await probe(self.uri, PROBE_DATABASE)
        except ReadStoreUnavailable as error:
            raise NotReady(f"the read store does not answer: {error}") from error

    @contextlib.asynccontextmanager
    async def running(self, *, timeout: float = 30.0, grace: float = 5.0) -> AsyncIterator[Child]:
        """A ready server inside the block, without a supervisor: for tests and benchmarks. Times in seconds.

        Raises:
            DataDirectoryInUse: another process serves the directory.
            ReadStoreNodeFailed: it ended or was not ready in time.
        """
        with self.prepare() as pass_fds:
            output = self.data_dir / "nx-27017.log"
            child = await Child.start(
                self.command(Path(os.devnull)), log_file=output, environment=os.environ, pass_fds=pass_fds
            )
        exited = asyncio.ensure_future(child.wait())
        ready = asyncio.ensure_future(until_ready(self.ready))
        try:
            await asyncio.wait({exited, ready}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                reason = describe_exit(exited.result()) if exited.done() else f"was not ready after {timeout} s"
                raise ReadStoreNodeFailed(f"nx-27017 {reason}:\n{log_tail(output)}")
            ready.result()
            yield child
        finally:
            exited.cancel()
            ready.cancel()
            await child.stop(grace)

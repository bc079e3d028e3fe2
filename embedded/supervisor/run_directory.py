"""DATA_DIR/run: which supervisor owns a data directory, and where its services listen."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec


class AlreadyRunning(Exception):
    """Another supervisor owns this data directory."""

    def __init__(self, data_dir: Path, pid: str) -> None:
        super().__init__(f"{data_dir} is in use by another supervisor (pid {pid})")
        self.data_dir = data_dir
        self.pid = pid


class ServiceEntry(msgspec.Struct, frozen=True):
    """What services.json says about one service: `pid` is absent while it has no process, and
    `started_at`, in epoch seconds, is when that began."""

    url: str
    state: str
    restarts: int = 0
    pid: int | None = None
    started_at: float | None = None


class RunDirectory:
    """The lock and services.json of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.directory = data_dir / "run"
        self.lock_file = self.directory / "supervisor.lock"
        self.services_file = self.directory / "services.json"

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Own the data directory inside the block; the lock ends with the process, also in a crash.

        Raises:
            AlreadyRunning: another process owns it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise AlreadyRunning(self.data_dir, lock.read().strip() or "unknown") from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            for left in self.directory.glob("services-*.tmp"):  # by a supervisor that was killed
                left.unlink()
            try:
                yield
            finally:
                self.services_file.unlink(missing_ok=True)

    def is_owned(self) -> bool:
        """Whether a supervisor is running on this data directory now."""
        if not self.lock_file.exists():
            return False
        with self.lock_file.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def write_services(self, services: Mapping[str, ServiceEntry]) -> None:
        """Replace services.json; a reader sees the old file or the new one, never half of it."""
        handle, temporary = tempfile.mkstemp(dir=self.directory, prefix="services-", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(dict(services)), indent=2) + b"\n")
        os.replace(temporary, self.services_file)

    def read_services(self) -> dict[str, ServiceEntry]:
        """The services as last written; empty when none were.

        Raises:
            msgspec.DecodeError: the file is not what this class writes.
        """
        try:
            content = self.services_file.read_bytes()
        except FileNotFoundError:
            return {}
        return msgspec.json.decode(content, type=dict[str, ServiceEntry])

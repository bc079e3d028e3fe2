"""Who holds a data directory: a lock that ends with the process, and the temporary directories it outlives."""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

LOCK_NAME = "lock"

_PREFIX = "event-store-node-"
_TEMPORARY = "temporary"


class DataDirectoryError(Exception):
    """The data directory cannot be used; the message says why and is meant for the operator."""


def lock_directory(directory: Path, temporary: bool = False) -> int:
    """
    Hold a data directory, made if it is missing, until the descriptor that is returned is closed.

    Raises:
        DataDirectoryError: another process holds it, or it cannot be used.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DataDirectoryError(f"the data directory {directory} cannot be used: {error}") from error
    if not _is_free(descriptor):
        holder = next(iter(_words(descriptor)), "unknown")
        os.close(descriptor)
        raise DataDirectoryError(
            f"the data directory {directory} is in use by another event store node (process {holder})"
        )
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}{' ' + _TEMPORARY if temporary else ''}\n".encode())
    return descriptor


def make_temporary_directory() -> Path:
    """A new directory for a log that nobody wants to keep, after those of dead processes were removed."""
    with suppress(OSError):
        for entry in os.scandir(tempfile.gettempdir()):
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                _remove_if_left(Path(entry))
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _remove_if_left(directory: Path) -> None:
    """
    Remove a temporary directory whose process is gone. What says nothing of who made it, or was taken as a data
    directory by somebody since, stays.
    """
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # somebody else's, or not locked yet
        return
    try:
        if os.fstat(descriptor).st_uid != os.geteuid() or not _is_temporary(descriptor):
            return
        # The word is written under the lock: where it stands and the lock is free, the lock was given up.
        if _is_free(descriptor) and _is_temporary(descriptor):
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(descriptor)


def _is_temporary(descriptor: int) -> bool:
    return _TEMPORARY in _words(descriptor)


def _is_free(descriptor: int) -> bool:
    """Take the lock, if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _words(descriptor: int) -> list[str]:
    return os.pread(descriptor, 64, 0).decode(errors="replace").split()

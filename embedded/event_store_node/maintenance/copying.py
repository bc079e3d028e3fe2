"""A consistent copy of a log under a new name: what bears that name is whole and on disk."""

import fcntl
import os
import sqlite3
from pathlib import Path

from embedded.event_store_node.log.database import FILE_NAME
from embedded.event_store_node.log.unfinished import unfinished_file
from embedded.event_store_node.maintenance.log_file import MaintenanceError

# One step of the copy; the operator's interrupt is heard between two.
_PAGES_PER_STEP = 4096


def copy_log(source: sqlite3.Connection, destination: Path, overwrite: bool = False) -> None:
    """
    Copy the snapshot that a connection sees to a file, under a temporary name until it is complete.

    Raises:
        MaintenanceError: the destination exists (unless it may be overwritten) or cannot be written.
    """
    if destination.exists() and not overwrite:
        raise _exists(destination)
    if destination.exists() and destination.name == FILE_NAME:
        raise MaintenanceError(f"{destination} is the log of a data directory; it was left as it is")
    try:
        with unfinished_file(destination) as unfinished:
            _copy(source, unfinished)
            _give_name(unfinished, destination, overwrite)
        sync_directory(destination.parent)
    except sqlite3.Error as error:
        raise MaintenanceError(f"the copy to {destination} failed: {error}") from error
    except OSError as error:
        raise MaintenanceError(f"{destination} cannot be written: {error.strerror or error}") from error


def sync_directory(directory: Path) -> None:
    """Make new names in a directory durable."""
    _sync(directory, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
        if hasattr(fcntl, "F_FULLFSYNC"):  # on macOS a plain fsync leaves data in the drive's cache
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    finally:
        os.close(descriptor)


def _copy(source: sqlite3.Connection, path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # not for others to read
    target = sqlite3.connect(path, isolation_level=None)
    try:
        # The file is worth nothing before the last page: it is synced once, at the end.
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        source.backup(target, pages=_PAGES_PER_STEP)
    finally:
        target.close()
    _sync(path, os.O_RDWR)


def _give_name(unfinished: Path, destination: Path, overwrite: bool) -> None:
    if overwrite:
        unfinished.replace(destination)
        return
    try:
        os.link(unfinished, destination)  # unlike a renaming, it never replaces
    except FileExistsError:
        raise _exists(destination) from None
    except OSError:  # a file system without links
        if destination.exists():
            raise _exists(destination) from None
        unfinished.replace(destination)


def _exists(destination: Path) -> MaintenanceError:
    return MaintenanceError(f"{destination} exists already; it was left as it is")

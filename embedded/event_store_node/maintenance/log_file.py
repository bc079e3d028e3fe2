"""A log's file opened for reading only, whether a node writes to it or not."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from embedded.event_store_node.log.database import FILE_NAME, refuse_foreign
from embedded.event_store_node.log.directory_lock import DataDirectoryError


class MaintenanceError(Exception):
    """A backup, restore or verification cannot be done; the message says why and is meant for the operator."""


def log_file_in(data_dir: Path) -> Path:
    """
    The log's file in a data directory.

    Raises:
        MaintenanceError: there is none.
    """
    if not data_dir.is_dir():
        raise MaintenanceError(f"there is no data directory {data_dir}")
    path = data_dir / FILE_NAME
    if not path.is_file():
        raise MaintenanceError(f"the data directory {data_dir} holds no log ({FILE_NAME})")
    return path


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """
    The log in a file as it is at this moment: what a node appends meanwhile is not seen.

    Raises:
        MaintenanceError: the file is missing, foreign, of another version or unreadable.
    """
    try:
        refuse_foreign(path)
        connection = sqlite3.connect(_uri(path), uri=True, isolation_level=None, timeout=10)
    except DataDirectoryError as error:
        raise MaintenanceError(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise MaintenanceError(f"{path} cannot be read: {_reason(error)}") from error
    try:
        connection.execute("PRAGMA cache_size = -32768")
        connection.execute("BEGIN")
        _read_something(connection, path)
        yield connection
    finally:
        connection.close()


def _read_something(connection: sqlite3.Connection, path: Path) -> None:
    """The snapshot is taken by the first read."""
    try:
        connection.execute("SELECT position FROM event LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise MaintenanceError(f"{path} is damaged: {error}") from error


def _uri(path: Path) -> str:
    # A file that stands alone, as a backup does, is read without SQLite's side files: its directory may be read-only.
    alone = path.name != FILE_NAME and not path.with_name(path.name + "-wal").exists()
    return f"file:{quote(str(path.resolve()))}?mode=ro{'&immutable=1' if alone else ''}"


def _reason(error: OSError | sqlite3.Error) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)

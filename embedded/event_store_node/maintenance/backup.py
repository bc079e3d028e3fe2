"""Backup and restore of a log: one file, consistent, made while the node runs."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from embedded.event_store_node.log.database import FILE_NAME
from embedded.event_store_node.log.directory_lock import DataDirectoryError, lock_directory
from embedded.event_store_node.maintenance.copying import copy_log
from embedded.event_store_node.maintenance.log_file import MaintenanceError, log_file_in, snapshot
from embedded.event_store_node.maintenance.verification import verify


@dataclass(frozen=True, slots=True)
class Extent:
    """What a copy holds: the number of events, the position of the last one (0: none) and its size in bytes."""

    events: int
    last_position: int
    size: int


def back_up(data_dir: Path, destination: Path, overwrite: bool = False) -> Extent:
    """
    Copy the log in `data_dir` to a file: every event acknowledged before the call, and none of a later append.

    Raises:
        MaintenanceError: there is no log, or the file exists or cannot be written.
    """
    with snapshot(log_file_in(data_dir)) as source:
        copy_log(source, destination, overwrite)
        return _extent(source, destination)


def restore(file: Path, data_dir: Path) -> Extent:
    """
    Make a data directory from a backup that is sound.

    Raises:
        MaintenanceError: the backup is missing or not sound, or the directory holds a log or is in use.
    """
    with snapshot(file) as source:
        report = verify(source)
        if report.problems:
            raise MaintenanceError(f"{file} is damaged and was not restored: {report.problems[0]}")
        try:
            lock = lock_directory(data_dir)
        except DataDirectoryError as error:
            raise MaintenanceError(str(error)) from error
        try:
            _refuse_log(data_dir)
            copy_log(source, data_dir / FILE_NAME)
        finally:
            os.close(lock)
        return _extent(source, data_dir / FILE_NAME)


def _refuse_log(data_dir: Path) -> None:
    # SQLite's side files of another log would be taken for the new one's.
    for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-journal"):
        if (data_dir / name).exists():
            raise MaintenanceError(
                f"the data directory {data_dir} holds a log already ({name}); it was left as it is:"
                " restore to another one, or move it away first"
            )


def _extent(log: sqlite3.Connection, path: Path) -> Extent:
    events, last_position = log.execute("SELECT count(*), coalesce(max(position), 0) FROM event").fetchone()
    return Extent(events, last_position, path.stat().st_size)

"""`node backup`, `node restore` and `node verify`: their arguments and what they print."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from embedded.event_store_node.maintenance.backup import Extent, back_up, restore
from embedded.event_store_node.maintenance.log_file import MaintenanceError, log_file_in, snapshot
from embedded.event_store_node.maintenance.verification import MAX_PROBLEMS, verify


def backup_command(argv: Sequence[str]) -> int:
    """`backup`: returns the exit code, 1 when it could not be made."""
    parser = argparse.ArgumentParser(
        prog="event_store_node backup",
        description="Copy the log to one file, while the node runs. The copy holds every event acknowledged before.",
    )
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="directory of the event log")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="the backup; it must not exist yet")
    parser.add_argument("--force", action="store_true", help="replace an older backup")
    arguments = parser.parse_args(argv)
    try:
        extent = back_up(arguments.data_dir, arguments.to, arguments.force)
    except MaintenanceError as error:
        return _failed("backup", error)
    sys.stdout.write(f"{arguments.to}: {_described(extent)}\n")
    return 0


def restore_command(argv: Sequence[str]) -> int:
    """`restore`: returns the exit code, 1 when it could not be done."""
    parser = argparse.ArgumentParser(
        prog="event_store_node restore",
        description="Make a data directory from a backup, which is verified first. Consumers that were ahead of the"
        " backup have to begin anew.",
    )
    parser.add_argument("--from", type=Path, required=True, metavar="FILE", dest="file", help="the backup")
    parser.add_argument(
        "--data-dir", type=Path, required=True, metavar="DIR", help="made if it is missing; must not hold a log"
    )
    arguments = parser.parse_args(argv)
    try:
        extent = restore(arguments.file, arguments.data_dir)
    except MaintenanceError as error:
        return _failed("restore", error)
    sys.stdout.write(f"{arguments.data_dir}: {_described(extent)}\n")
    return 0


def verify_command(argv: Sequence[str]) -> int:
    """`verify`: returns the exit code, 1 when something is wrong or the log cannot be read."""
    parser = argparse.ArgumentParser(
        prog="event_store_node verify",
        description="Read a whole log, while the node runs or not, and say what is wrong with it.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--data-dir", type=Path, metavar="DIR", help="directory of the event log")
    where.add_argument("--file", type=Path, metavar="FILE", help="a backup")
    arguments = parser.parse_args(argv)
    try:
        path = arguments.file or log_file_in(arguments.data_dir)
        with snapshot(path) as log:
            report = verify(log)
    except MaintenanceError as error:
        return _failed("verify", error)
    if report.problems:
        more = " or more" if len(report.problems) >= MAX_PROBLEMS else ""
        number = len(report.problems)
        sys.stderr.write(f"{path}: {number}{more} problem{'' if number == 1 else 's'}\n")
        sys.stderr.writelines(f"  {problem}\n" for problem in report.problems)
        return 1
    sys.stdout.write(
        f"{path}: sound, {report.events} events in {report.streams} streams, last position {report.last_position}\n"
    )
    return 0


def _described(extent: Extent) -> str:
    size = f"{extent.size / 2**20:.1f} MiB"
    return f"{extent.events} events, last position {extent.last_position}, {size}"


def _failed(command: str, error: MaintenanceError) -> int:
    sys.stderr.write(f"event store node {command}: {error}\n")
    return 1

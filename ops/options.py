"""Options that several sub-commands share."""

import argparse
import os
from pathlib import Path
from typing import Any

from infrastructure.settings import InvalidSettings, Settings, load_settings
from ops.errors import CommandFailed

DEFAULT_DATA_DIR = Path("data")


def add_data_dir(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --data-dir."""
    parser.add_argument(
        "--data-dir", type=Path, default=DEFAULT_DATA_DIR, metavar="DIR", help=f"{what} (default: ./{DEFAULT_DATA_DIR})"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the projector's answer as JSON")


def port(text: str) -> int:
    """A TCP port from the command line."""
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is not a port")
    return value


def count(text: str) -> int:
    """A number of things from the command line."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def settings() -> Settings:
    """The settings from the environment.

    Raises:
        CommandFailed: a variable is unknown or wrong.
    """
    try:
        return load_settings(os.environ)
    except InvalidSettings as error:
        raise CommandFailed(str(error)) from error


def add_reconcile(actions: Any, compares: str, applies: str, description: str) -> argparse.ArgumentParser:
    """Add `reconcile`, which says what differs between our side and a provider's: `compares` and `applies` are the help
    of the command and of --apply."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "reconcile", help=compares, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--apply", action="store_true", help=applies)
    parser.add_argument(
        "--wait",
        type=_waiting_time,
        default=5.0,
        metavar="SECONDS",
        help="after how long what differs is looked at again; 0: not at all (default: 5)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument("--command-api", metavar="URL", help="where --apply records what was missed")
    return parser


def _waiting_time(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 3600")
    return value

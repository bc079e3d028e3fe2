"""`eventfold version`."""

import argparse
from importlib import metadata
from typing import Any

from rich.console import Console


def installed() -> str:
    """The version of the installed distribution."""
    try:
        return metadata.version("eventfold")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def add_parser(commands: Any) -> None:
    """Add `version`."""
    parser: argparse.ArgumentParser = commands.add_parser("version", help="the installed version")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the version."""
    Console(highlight=False).print(f"eventfold {installed()}")
    return 0

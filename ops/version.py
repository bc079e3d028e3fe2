"""`eventfold version`."""

import argparse
from typing import Any

from rich.console import Console

from infrastructure.version import installed_version


def add_parser(commands: Any) -> None:
    """Add `version`."""
    parser: argparse.ArgumentParser = commands.add_parser("version", help="the installed version")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the version."""
    Console(highlight=False).print(f"eventfold {installed_version()}")
    return 0

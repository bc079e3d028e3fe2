"""What the sub-commands that talk to the projector share."""

import argparse
from pathlib import Path

from ops.commands.options import add_data_dir, settings


def add_projector(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir and --projector, which say where the projector is."""
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.add_argument(
        "--projector",
        metavar="URL",
        help="the projector, any instance of it (default: that of --data-dir, else as the EVENTFOLD_* variables say)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the projector's answer as JSON")


def projector_url(args: argparse.Namespace) -> str:
    """The URL given, else that of the stack on the data directory, else that of the settings."""
    from ops.locations import service_urls

    if args.projector:
        return str(args.projector).rstrip("/")
    return service_urls(Path(args.data_dir), settings())["projector"]

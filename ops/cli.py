"""The `eventfold` command: which parser reads the arguments, and what is printed when a command fails."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from ops.errors import EXIT_FAILED, EXIT_INTERRUPTED, CommandFailed
from ops.stack import services


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit status."""
    given = sys.argv[1:] if argv is None else argv
    parser = _parser_for(given)
    args, rest = parser.parse_known_args(given)
    if rest and not getattr(args, "passes_arguments_on", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    try:
        return int(args.run(args))
    except CommandFailed as failure:
        _print(failure)
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED


def _parser_for(given: Sequence[str]) -> argparse.ArgumentParser:
    if given and given[0] in services.NAMES:
        # A service is started without what the other commands import, which would take a quarter of its start.
        parser = argparse.ArgumentParser(prog="eventfold")
        services.add_parser(parser.add_subparsers(dest="command", metavar="COMMAND", required=True))
        return parser
    from ops.parser import build_parser

    return build_parser()


def _print(failure: CommandFailed) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"eventfold: {failure}", style="red", markup=False)
    if failure.hint:
        console.print(failure.hint, markup=False)


if __name__ == "__main__":
    sys.exit(main())

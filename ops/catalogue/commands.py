"""`eventfold catalogue`: every event, who writes it and who follows it; its schemas, compared with the last release."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import EXIT_FAILED, CommandFailed

if TYPE_CHECKING:
    from infrastructure.integration.catalogue import CatalogueEntry

DESCRIPTION = """\
Every event there is: domain events, which are in the log, and integration events, which are published to others.

  list       all of them, with who writes and who follows them
  show       one of them: its schema and an example, for a published one in its envelope
  page       all of that as a page in Markdown, on standard output
  schemas    a JSON Schema for each published event, into a directory
  asyncapi   what is published, as an AsyncAPI 3.0 document, on standard output
  check      compare with the last release: what breaks consumers or the log is refused
  release    take the schemas of now into the release, after such a check
"""

CHECK = """\
Compare the schemas of all events with the last release: what breaks consumers of published events, or makes what the
log has unreadable, is refused, each in a line. The same as `eventfold catalogue check`.
"""


def add_parser(commands: Any) -> None:
    """Add `catalogue`, and `check`, which is its `catalogue check` in short."""
    short = commands.add_parser("check", help="compare the events' schemas with the last release", description=CHECK)
    _add_against(short)
    short.set_defaults(run=check)
    parser: argparse.ArgumentParser = commands.add_parser(
        "catalogue",
        help="every event, who writes and who follows it; its schemas",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="all events")
    listing.add_argument("--kind", choices=("domain", "integration", "inbound"), help="only these")
    listing.set_defaults(run=show_list)
    showing = actions.add_parser("show", help="one event")
    showing.add_argument("event", metavar="EVENT", help="such as OrderCreated or ordering.order-placed.v1")
    showing.set_defaults(run=show_event)
    actions.add_parser("page", help="all of it as a page").set_defaults(run=print_page)
    schemas = actions.add_parser("schemas", help="JSON Schemas of what is published")
    schemas.add_argument("directory", type=Path, metavar="DIR", help="where a file for each event goes")
    schemas.set_defaults(run=write_schemas)
    actions.add_parser("asyncapi", help="an AsyncAPI 3.0 document").set_defaults(run=print_asyncapi)
    for name, what, run in (
        ("check", "compare with the last release", check),
        ("release", "release the schemas of now", release),
    ):
        action = actions.add_parser(name, help=what)
        _add_against(action)
        action.set_defaults(run=run)


def _add_against(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--against", type=Path, metavar="FILE", help="the release (default: the application's own)")


def show_list(args: argparse.Namespace) -> int:
    """Print a table."""
    from ops.output import output, plain_table

    table = plain_table("EVENT", "KIND", "WRITTEN BY", "FOLLOWED BY")
    for entry in _entries():
        if args.kind in (None, entry.kind):
            table.add_row(entry.key, entry.kind, _written_by(entry), ", ".join(entry.consumers) or "-")
    output().print(table)
    return 0


def show_event(args: argparse.Namespace) -> int:
    """Print one event."""
    from ops.catalogue.display import described

    found = [one for one in _entries() if args.event in (one.key, one.name)]
    if not found:
        raise CommandFailed(f"there is no event {args.event}", "`eventfold catalogue list` names them")
    sys.stdout.write("\n".join(described(entry) for entry in found))
    return 0


def print_page(_args: argparse.Namespace) -> int:
    """Print the page."""
    from ops.catalogue.display import page

    sys.stdout.write(page(_entries()))
    return 0


def write_schemas(args: argparse.Namespace) -> int:
    """Write one file for each published event."""
    import msgspec

    from infrastructure.integration.asyncapi import envelope_schema
    from ops.output import output

    published = [entry for entry in _entries() if entry.kind == "integration"]
    try:
        args.directory.mkdir(parents=True, exist_ok=True)
        for entry in published:
            content = msgspec.json.format(msgspec.json.encode(envelope_schema(entry)), indent=2)
            (args.directory / f"{entry.key}.json").write_bytes(content + b"\n")
    except OSError as error:
        raise CommandFailed(f"{args.directory} can't be written: {error.strerror}") from error
    output().print(f"{len(published)} schemas in {args.directory}", markup=False)
    return 0


def print_asyncapi(_args: argparse.Namespace) -> int:
    """Print the document."""
    import msgspec

    from application import APPLICATION
    from infrastructure.integration.asyncapi import asyncapi

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(asyncapi(APPLICATION)), indent=2).decode() + "\n")
    return 0


def check(args: argparse.Namespace) -> int:
    """Compare with the last release."""
    from application import APPLICATION
    from infrastructure.integration.release import InvalidRelease, breaking_changes, read_release, unreleased
    from ops.output import errors, output

    try:
        last = read_release(args.against or _own_release())
    except InvalidRelease as error:
        raise CommandFailed(str(error)) from error
    broken = list(breaking_changes(last, APPLICATION))
    for line in broken:
        errors().print(line, style="red", markup=False, soft_wrap=True)
    if broken:
        return EXIT_FAILED
    new = unreleased(last, APPLICATION)
    also = f"; not released yet: {', '.join(new)}" if new else ""
    output().print(f"{len(last.events)} released events are as they were{also}", markup=False, soft_wrap=True)
    return 0


def release(args: argparse.Namespace) -> int:
    """Take the schemas of now into the release."""
    from application import APPLICATION
    from infrastructure.integration.release import InvalidRelease, Release, next_release, read_release, write_release
    from ops.output import output

    path: Path = args.against or _own_release()
    if path.exists() and check(args) != 0:
        raise CommandFailed(f"{path} is left as it was", "give what changes a new version, and keep the old one")
    try:
        after = next_release(read_release(path) if path.exists() else Release(), APPLICATION)
        write_release(after, path)
    except (OSError, InvalidRelease) as error:
        raise CommandFailed(str(error)) from error
    output().print(f"{len(after.events)} events are released in {path}", markup=False, soft_wrap=True)
    return 0


def _entries() -> "list[CatalogueEntry]":
    from application import APPLICATION
    from infrastructure.integration.catalogue import catalogue

    return catalogue(APPLICATION)


def _own_release() -> Path:
    import application

    return Path(application.__path__[0]) / "event_schemas.json"


def _written_by(entry: "CatalogueEntry") -> str:
    return f"{entry.producer} (from {', '.join(entry.made_from)})" if entry.made_from else entry.producer

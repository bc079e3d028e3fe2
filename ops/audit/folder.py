"""Where the tree, its checkpoint and the keys are, and how the commands read them."""

import argparse
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ops.errors import CommandFailed
from ops.options import add_data_dir, settings

if TYPE_CHECKING:
    from rich.console import Console

    from infrastructure.event_store import EventStore
    from infrastructure.evidence.signing import Signer
    from infrastructure.evidence.verifier import VerifierKey

T = TypeVar("T")

SIGNING_KEY = "signing.key"
VERIFIER_KEY = "verifier.key"

STORE_HINT = "`eventfold up` starts the event store; EVENTFOLD_EVENTSTORE_URI names another one"
_KEY_HINT = "`eventfold audit key --name NAME` makes one"


def add_folder(parser: argparse.ArgumentParser, *, log: bool = True) -> None:
    """Add --dir and --data-dir."""
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        help="the folder of the tree, its checkpoint and the keys (default: audit in the data directory)",
    )
    what = "the data directory of the running `eventfold up`" if log else "the data directory"
    add_data_dir(parser, what)


def add_signing_key(parser: argparse.ArgumentParser) -> None:
    """Add --signing-key."""
    parser.add_argument(
        "--signing-key", type=Path, metavar="FILE", help=f"the signing key (default: {SIGNING_KEY} in the folder)"
    )


def folder_of(args: argparse.Namespace) -> Path:
    """The folder that --dir or --data-dir says."""
    return Path(args.dir) if args.dir else Path(args.data_dir) / "audit"


def signer_of(args: argparse.Namespace) -> "Signer":
    """The signing key.

    Raises:
        CommandFailed: there is none, or it can't be read.
    """
    from infrastructure.evidence.signing import InvalidKey, Signer

    file = Path(args.signing_key) if args.signing_key else folder_of(args) / SIGNING_KEY
    try:
        return Signer.read(file)
    except FileNotFoundError as error:
        raise CommandFailed(f"there is no signing key {file}", _KEY_HINT) from error
    except (InvalidKey, OSError) as error:
        raise CommandFailed(f"the signing key can't be read: {error}", _KEY_HINT) from error


def verifier_of(args: argparse.Namespace) -> "VerifierKey":
    """The key of --key, else the one in the folder.

    Raises:
        CommandFailed: there is none, or it can't be read.
    """
    from infrastructure.evidence.verifier import NotProven, read_key

    own = folder_of(args) / VERIFIER_KEY
    if not args.key and not own.exists():
        raise CommandFailed(f"there is no verifier key {own}", f"{_KEY_HINT}; --key KEY takes another one")
    try:
        return read_key(args.key or str(own))
    except NotProven as error:
        raise CommandFailed(str(error), "--key KEY takes a verifier key, or a file that holds one") from error


def with_log(args: argparse.Namespace, work: "Callable[[EventStore], Awaitable[T]]") -> T:
    """What the work makes of the log that --data-dir, or the settings, name.

    Raises:
        CommandFailed: the log can't be read, or the folder can't be used.
    """
    import asyncio

    from infrastructure.event_store import EventStore, EventStoreUnavailable
    from infrastructure.evidence.tiles import FolderBusy
    from infrastructure.evidence.verifier import NotProven
    from ops.locations import with_own_stores
    from ops.output import keep_logs_apart

    keep_logs_apart()
    stores = with_own_stores(Path(args.data_dir), settings())

    async def run() -> T:
        log = EventStore.from_settings(stores)
        try:
            return await work(log)
        finally:
            await log.close()

    try:
        return asyncio.run(run())
    except EventStoreUnavailable as error:
        raise CommandFailed(f"the event store can't be read: {error}", STORE_HINT) from error
    except (NotProven, FolderBusy, OSError) as error:
        raise CommandFailed(str(error)) from error


@contextlib.contextmanager
def progress(console: "Console", what: str) -> Iterator[Callable[[int], None]]:
    """A line with the number of events read so far, on a terminal; nothing elsewhere."""
    if not console.is_terminal:
        yield lambda _events: None
        return
    with console.status(what) as status:
        yield lambda events: status.update(f"{what}: {events:,} events")

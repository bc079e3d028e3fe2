"""`eventfold audit key`, `checkpoint` and `follow`: signs what the log is now."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.audit.folder import (
    SIGNING_KEY,
    VERIFIER_KEY,
    add_folder,
    add_signing_key,
    folder_of,
    progress,
    signer_of,
    with_log,
)
from ops.errors import EXIT_FAILED, CommandFailed
from ops.options import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from infrastructure.event_store import EventStore
    from infrastructure.evidence.signing import Signer
    from infrastructure.evidence.tiles import Tiles
    from infrastructure.evidence.verifier import Checkpoint

KEY = f"""\
Make the key that signs checkpoints, an Ed25519 key with a name for the log. It goes into {SIGNING_KEY}, which its owner
alone may read, and the verifier key into {VERIFIER_KEY}: give that one away, and keep a copy where whoever can change
the log can't change it. Keep the signing key away from the event store's machine where you can: --signing-key names it.
"""

CHECKPOINT = """\
Extend the tree by the events that came since the last checkpoint, and sign the new one. Nothing is signed when the log
does not have the last events of the tree any more: exit status 1. Copy the file `checkpoint` to where whoever can
change the log can't change it; `eventfold audit verify --checkpoint FILE` compares the log with it, also years later.
"""

FOLLOW = """\
Write a checkpoint every so many seconds while the log grows, until Ctrl-C. Exit status 1 when the log contradicts the
last checkpoint.
"""


def add_key(actions: Any) -> None:
    """Add `key`."""
    parser = _parser(actions, "key", "make the key that signs checkpoints", KEY)
    parser.add_argument("--name", required=True, metavar="NAME", help="the log's name, such as shop.example/orders")
    add_folder(parser, log=False)
    parser.set_defaults(run=make_key)


def add_checkpoint(actions: Any) -> None:
    """Add `checkpoint`."""
    parser = _parser(actions, "checkpoint", "sign what the log is now", CHECKPOINT)
    add_folder(parser)
    add_signing_key(parser)
    parser.set_defaults(run=checkpoint)


def add_follow(actions: Any) -> None:
    """Add `follow`."""
    parser = _parser(actions, "follow", "sign again and again while the log grows", FOLLOW)
    parser.add_argument(
        "--every", type=count, default=60, metavar="SECONDS", help="seconds between checkpoints (default: 60)"
    )
    add_folder(parser)
    add_signing_key(parser)
    parser.set_defaults(run=follow)


def _parser(actions: Any, name: str, short: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=short, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser


def make_key(args: argparse.Namespace) -> int:
    """Make the key."""
    from infrastructure.evidence.signing import InvalidKey, Signer
    from ops.output import output

    folder = folder_of(args)
    try:
        signer = Signer.new(args.name)
        folder.mkdir(parents=True, exist_ok=True)
        signer.write(folder / SIGNING_KEY)
        (folder / VERIFIER_KEY).write_text(signer.verifier.encode() + "\n")
    except FileExistsError as error:
        raise CommandFailed(f"{error.filename} is there already: a key is never written over") from error
    except (InvalidKey, OSError) as error:
        raise CommandFailed(f"no key was made: {error}") from error
    output().print(f"{folder / SIGNING_KEY}: the signing key, for its owner alone", markup=False)
    output().print(f"verifier key: {signer.verifier.encode()}", markup=False, soft_wrap=True)
    return 0


def checkpoint(args: argparse.Namespace) -> int:
    """Sign what the log is now."""
    from infrastructure.evidence.tiles import Tiles
    from ops.output import errors

    signer, tiles = signer_of(args), Tiles(folder_of(args))
    with progress(errors(), "reading the log") as told:
        return with_log(args, lambda log: _extend(log, tiles, signer, told))


def follow(args: argparse.Namespace) -> int:
    """Sign again and again."""
    from infrastructure.event_store import EventStoreUnavailable
    from infrastructure.evidence.tiles import Tiles
    from ops.output import errors, print_error

    signer, tiles = signer_of(args), Tiles(folder_of(args))

    async def run(log: "EventStore") -> int:
        while True:
            try:
                if status := await _extend(log, tiles, signer, lambda _events: None, quiet=True):
                    return status
            except EventStoreUnavailable as error:
                print_error(errors(), f"eventfold: the event store can't be read: {error}")
            await _pause(args.every)

    return with_log(args, run)


async def _pause(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def _extend(
    log: "EventStore", tiles: "Tiles", signer: "Signer", told: "Callable[[int], None]", *, quiet: bool = False
) -> int:
    from infrastructure.evidence.checkpointing import extend
    from infrastructure.evidence.findings import Contradiction
    from ops.audit.display import print_finding
    from ops.output import errors, output, print_error

    try:
        before, after = await extend(log, tiles, signer, told)
    except Contradiction as contradiction:
        print_finding(errors(), contradiction.finding)
        print_error(errors(), "nothing was signed: the log is not the one of the last checkpoint")
        return EXIT_FAILED
    if after.size > before.size or not quiet:
        output().print(_told(before, after, tiles), markup=False, soft_wrap=True)
    return 0


def _told(before: "Checkpoint", after: "Checkpoint", tiles: "Tiles") -> str:
    new = after.size - before.size
    what = f"{new:,} new" if new else "nothing new"
    return f"{tiles.folder / 'checkpoint'}: {after.origin}, {after.size:,} events, {what}, root {after.root.hex()}"

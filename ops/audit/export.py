"""`eventfold audit export` and `check`: a proof that stands alone, and whether it holds."""

import argparse
import json
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.audit.folder import (
    SIGNING_KEY,
    VERIFIER_KEY,
    add_folder,
    add_signing_key,
    folder_of,
    signer_of,
    verifier_of,
    with_log,
)
from ops.errors import CommandFailed

if TYPE_CHECKING:
    from infrastructure.event_store import EventStore, StoredEvent
    from infrastructure.evidence.tiles import Tiles
    from infrastructure.evidence.verifier import VerifierKey

EXPORT = """\
Write the events of an aggregate, as they are stored, with the proof that they are in the log as it was signed: their
chain, the way from each of them to the root of the tree, and the signed checkpoint. Where the newest event is not
covered yet and the signing key is at hand, a new checkpoint is made first.
"""

CHECK = """\
Check an exported proof: the signature of its checkpoint, that every event is in the tree, and the chain. Of a bundle of
evidence (`eventfold documents evidence`), all proofs, and that the documents are those that the events name. Asks no
store and reads nothing but the file. Elsewhere, check.py in a bundle does the same, alone, and for a proof
infrastructure/evidence/verifier.py: python verifier.py FILE --key KEY. Exit status 1 when something does not hold, with
what that is.
"""


def add_export(actions: Any) -> None:
    """Add `export`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "export",
        help="the events of an order, or of any aggregate, as a proof that stands alone",
        description=EXPORT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("aggregate", metavar="ID", help="an order's id; of another aggregate CATEGORY/ID: payment/p-1")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument(
        "--key", metavar="KEY", help=f"the verifier key, or its file (default: {VERIFIER_KEY} in the folder)"
    )
    add_folder(parser)
    add_signing_key(parser)
    parser.set_defaults(run=export)


def add_check(actions: Any) -> None:
    """Add `check`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "check",
        help="whether an exported proof holds; needs no store",
        description=CHECK,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the proof, or the bundle")
    parser.add_argument("--key", required=True, metavar="KEY", help="the verifier key that you trust, or its file")
    parser.set_defaults(run=check)


def export(args: argparse.Namespace) -> int:
    """Write the proof."""
    from infrastructure.evidence.tiles import Tiles

    tiles, stream = Tiles(folder_of(args)), _stream(args.aggregate)
    proof = with_log(args, lambda log: _proof(log, tiles, stream, args))
    text = json.dumps(proof, indent=2) + "\n"
    if args.out is None:
        sys.stdout.write(text)
        return 0
    try:
        args.out.write_text(text)
    except OSError as error:
        raise CommandFailed(f"{args.out} can't be written: {error}") from error
    return 0


def check(args: argparse.Namespace) -> int:
    """Check the proof; 0 when it holds."""
    from infrastructure.evidence.bundle_checker import check_bundle, lines_of, read_bundle
    from infrastructure.evidence.verifier import NotProven, check_file, read_key, told
    from ops.output import output

    try:
        if zipfile.is_zipfile(args.file) or args.file.is_dir():
            lines = lines_of(check_bundle(read_bundle(args.file), read_key(args.key)))
        else:
            lines = [told(check_file(args.file, args.key))]
    except NotProven as error:
        raise CommandFailed(f"not proven: {error}") from error
    for line in lines:
        output().print(line, markup=False, soft_wrap=True)
    return 0


def _stream(aggregate: str) -> str:
    """The stream of CATEGORY/ID; of an order where there is no category."""
    from application import APPLICATION

    category, slash, aggregate_id = aggregate.partition("/")
    if not slash:
        category, aggregate_id = "order", aggregate
    aggregates = {one.category: one for one in APPLICATION.aggregates}
    processes = {one.name: one for one in APPLICATION.processes}
    if category in aggregates:
        return aggregates[category].stream(aggregate_id)
    if category in processes:
        return processes[category].stream(aggregate_id)
    known = ", ".join(sorted(aggregates | processes))
    raise CommandFailed(f"there is no category {category!r}", f"there are: {known}")


async def _proof(log: "EventStore", tiles: "Tiles", stream: str, args: argparse.Namespace) -> dict[str, Any]:
    from infrastructure.event_store import StreamDeleted
    from infrastructure.evidence.checkpointing import extend
    from infrastructure.evidence.findings import Contradiction
    from infrastructure.evidence.proofs import NotCovered, NotInTree

    try:
        events = (await log.read_slice(stream)).events
    except StreamDeleted:
        events = []
    if not events:
        raise CommandFailed(f"there is no stream {stream}, or nothing of it is left")
    key = verifier_of(args)
    try:
        return _made(events, tiles, key)
    except NotInTree as error:
        raise CommandFailed(str(error), "`eventfold audit verify` says what happened") from error
    except NotCovered as not_covered:
        if not (args.signing_key or (folder_of(args) / SIGNING_KEY).exists()):
            raise CommandFailed(str(not_covered), "`eventfold audit checkpoint` makes a newer one") from not_covered
    try:
        await extend(log, tiles, signer_of(args))
        return _made(events, tiles, key)
    except Contradiction as contradiction:
        detail = contradiction.finding.detail
        raise CommandFailed(f"no checkpoint can be signed: {detail}", "see: eventfold audit verify") from contradiction
    except (NotInTree, NotCovered) as error:
        raise CommandFailed(str(error), "`eventfold audit verify` says what happened") from error


def _made(events: "list[StoredEvent]", tiles: "Tiles", key: "VerifierKey") -> dict[str, Any]:
    from infrastructure.evidence.checkpointing import newest_checkpoint
    from infrastructure.evidence.proofs import NotCovered, proof_of
    from infrastructure.evidence.tree import Tree

    note = tiles.checkpoint()
    if note is None:
        raise NotCovered("there is no checkpoint yet")
    return proof_of(events, Tree(tiles, newest_checkpoint(tiles, key).size), note, key)

"""`eventfold audit verify`: whether the log is as it was written."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.audit.folder import VERIFIER_KEY, add_folder, folder_of, progress, verifier_of, with_log
from ops.errors import CommandFailed
from ops.locations import stack_settings

if TYPE_CHECKING:
    from infrastructure.event_store import EventStore
    from infrastructure.evidence.document_verification import DocumentReport
    from infrastructure.evidence.tree import Tree
    from infrastructure.evidence.verification import Anchor, Report
    from infrastructure.settings import Settings

DESCRIPTION = """\
Read the log once, and compare it with the chains of its streams, the tree and the checkpoints: name the first event
that was altered, removed, inserted or moved. Events that were deleted or cut off are named apart, with what is left of
their streams verified. Exit status 1 with a finding, 0 without.

Then every document that an event names by its SHA-256 is read from the document store, where one is known, and
compared: one that is altered or missing is named with the event, exit status 1. One whose customer is forgotten counts
as forgotten; one that no event names is told, and is no error. --no-documents leaves that out.

The tree and the newest checkpoint are those of the folder, where there are some; --checkpoint adds others that were
kept elsewhere. Memory: about 210 MB for each million streams.
"""


def add_verify(actions: Any) -> None:
    """Add `verify`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "verify",
        help="name the first event that was altered, removed, inserted or moved",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a signed checkpoint that was kept elsewhere; may be given more than once",
    )
    parser.add_argument("--stream", metavar="STREAM", help="this stream alone, such as order-o-1")
    parser.add_argument(
        "--key", metavar="KEY", help=f"the verifier key, or its file (default: {VERIFIER_KEY} in the folder)"
    )
    parser.add_argument(
        "--unlinked-until",
        type=int,
        default=-1,
        metavar="POSITION",
        help="take events without a link up to this position: an older version wrote them during the upgrade",
    )
    parser.add_argument("--no-documents", action="store_true", help="don't read the documents that events name")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_folder(parser)
    parser.set_defaults(run=verify_log)


def verify_log(args: argparse.Namespace) -> int:
    """Verify the log, and its documents; 0 when nothing was found."""
    import msgspec

    from ops.audit.display import print_documents, print_report
    from ops.output import errors, output

    chosen = stack_settings(args)
    with progress(errors(), "verifying") as told:

        async def run(log: "EventStore") -> "tuple[Report, DocumentReport | None]":
            from infrastructure.evidence.verification import verify

            tree, anchors = _evidence(args)
            options = {"stream": args.stream, "unlinked_until": args.unlinked_until}
            report = await verify(log, tree, anchors, **options, progress=told)
            return report, await _documents(args, chosen, log)

        report, documents = with_log(args, run)
    if args.json:
        shown = {**msgspec.to_builtins(report), "documents": msgspec.to_builtins(documents)}
        output().print_json(msgspec.json.encode(shown).decode())
    else:
        print_report(output(), report)
        if documents is not None:
            print_documents(output(), documents)
    return 0 if report.finding is None and (documents is None or documents.holds) else 1


async def _documents(args: argparse.Namespace, chosen: "Settings", log: "EventStore") -> "DocumentReport | None":
    """None where no document store is known, or nobody wants to know."""
    from infrastructure.document_store import DocumentStoreUnavailable, document_store
    from infrastructure.evidence.document_verification import verify_documents
    from infrastructure.personal_data import KeyStoreUnavailable

    store = None if args.no_documents else document_store(chosen)
    if store is None:
        return None
    try:
        return await verify_documents(log, store, stream=args.stream)
    except (DocumentStoreUnavailable, KeyStoreUnavailable) as error:
        raise CommandFailed(f"the documents can't be read: {error}", "--no-documents leaves them out") from error
    finally:
        await store.close()


def _evidence(args: argparse.Namespace) -> "tuple[Tree | None, list[Anchor]]":
    """The folder's tree, and every checkpoint. Raises NotProven where one is not signed with the key."""
    from infrastructure.evidence.tiles import Tiles
    from infrastructure.evidence.tree import Tree
    from infrastructure.evidence.verification import Anchor
    from infrastructure.evidence.verifier import NotProven, open_checkpoint

    tiles = Tiles(folder_of(args))
    note = tiles.checkpoint()
    notes = {} if note is None else {tiles.folder / "checkpoint": note}
    for file in args.checkpoint:
        try:
            notes[file] = file.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise CommandFailed(f"the checkpoint {file} can't be read: {error}") from error
    if not notes:
        return None, []
    key, anchors = verifier_of(args), []
    for file, text in notes.items():
        try:
            anchors.append(Anchor(str(file), open_checkpoint(text, key)))
        except NotProven as error:
            raise CommandFailed(f"{file}: {error}") from error
    return (Tree(tiles, anchors[0].checkpoint.size) if note is not None else None), anchors

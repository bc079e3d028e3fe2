"""`eventfold views verify`."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.options import add_data_dir, count, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from infrastructure.settings import Settings
    from ops.views.verification.verifier import Verification
    from read_models.model.view import View

DESCRIPTION = """\
Fold the whole log afresh in this process and compare every document of the live build with it, while the system goes
on: fields, missing documents, documents that should not be there, documents that are older than they have to be. Dead
letters and discarded events are left out as the projector leaves them out.

Asks the two stores, not the projector. The log is read once for all the views. Memory is bounded: of more than a
million documents only a part is verified at a time, each part with one more read of the log. Exit status 1 when
anything differs, or a view can't be verified.
"""

STORES_HINT = "`eventfold up` starts the stores; EVENTFOLD_EVENTSTORE_URI and EVENTFOLD_MONGO_URI name others"


def add_parser(actions: Any) -> None:
    """Add `verify`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "verify",
        help="compare every document with a fresh fold of the log",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="the views")
    parser.add_argument("--all", action="store_true", help="every view")
    parser.add_argument(
        "--slices",
        type=count,
        metavar="N",
        help="take the documents in N slices, each with one read of the log (default: one for each million documents)",
    )
    parser.add_argument("--json", action="store_true", help="print every difference as JSON; progress goes to stderr")
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify the views; 0 when all of them could be verified and no document differs."""
    import msgspec

    from infrastructure.event_store import EventStoreUnavailable
    from infrastructure.personal_data import KeyStoreUnavailable
    from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
    from ops.locations import with_own_keys, with_own_stores
    from ops.output import errors, keep_logs_apart, output, print_error
    from ops.views.verification.display import print_verified
    from ops.views.verification.unfinished import NoRoom

    if bool(args.names) == args.all:
        raise CommandFailed("name the views to verify, or say --all", "`eventfold views list` names them")
    keep_logs_apart()
    views, console = _views(args.names), output()
    stores = with_own_keys(Path(args.data_dir), with_own_stores(Path(args.data_dir), settings()))
    try:
        verification = asyncio.run(_verify(errors() if args.json else console, views, stores, args.slices))
    except EventStoreUnavailable as error:
        raise CommandFailed(f"the event store can't be read: {error}", STORES_HINT) from error
    except KeyStoreUnavailable as error:
        raise CommandFailed(f"the keys of personal data can't be read: {error.cause}") from error
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise CommandFailed(f"the read store can't be read: {error}", STORES_HINT) from error
    except NoRoom as error:
        hint = "TMPDIR names another folder; with --slices 4, or more, less of it is needed"
        raise CommandFailed(f"there is no room for temporary files: {error}", hint) from error
    if args.json:
        console.print_json(msgspec.json.encode(verification.verified).decode())
    else:
        for verified in verification.verified:
            print_verified(console, verified)
    for view, reason in verification.failures.items():
        print_error(errors(), f"eventfold: {view} can't be verified: {reason}")
    differ = any(verified.differences for verified in verification.verified)
    return 1 if differ or verification.failures else 0


def _views(names: "Sequence[str]") -> "Sequence[View]":
    """The views of those names, in all their versions; every view when there are none."""
    from application import APPLICATION

    known = dict.fromkeys(view.name for view in APPLICATION.views)
    for name in names:
        if name not in known:
            raise CommandFailed(f"there is no view {name}", f"the views are: {', '.join(known)}")
    return [view for name in dict.fromkeys(names) or known for view in APPLICATION.views if view.name == name]


async def _verify(
    console: "Console", views: "Sequence[View]", settings: "Settings", slices: int | None
) -> "Verification":
    from application import APPLICATION
    from infrastructure.event_codec import EventCodec
    from infrastructure.event_store import EventStore
    from infrastructure.personal_data import personal_keys
    from infrastructure.read_store import ReadStore
    from ops.views.verification.display import progress
    from ops.views.verification.verifier import Verifier

    log, store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    keys = personal_keys(settings)
    names = list(dict.fromkeys(view.name for view in views))
    try:
        with progress(console, names[0] if len(names) == 1 else f"{len(names)} views") as report:
            codec = EventCodec(APPLICATION.aggregates, APPLICATION.processes, keys)
            return await Verifier(views, codec, log, store, slices=slices, report=report).run()
    finally:
        await log.close()
        await store.close()
        await keys.close()

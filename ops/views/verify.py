"""`eventfold views verify`."""

import argparse
import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.options import add_data_dir, count, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from infrastructure.settings import Settings
    from ops.views.verification.verifier import Verified
    from read_models.model.view import View

DESCRIPTION = """\
Fold the whole log afresh in this process and compare every document of the live build with it, while the system goes
on: fields, missing documents, documents that should not be there, documents that are older than they have to be. Dead
letters and discarded events are left out as the projector leaves them out.

Asks the two stores, not the projector. Memory is bounded: the documents are taken in slices, each one more read of the
log. Exit status 1 when anything differs.
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
        help="take the documents in N slices (default: as many as keep at most 200,000 documents in memory)",
    )
    parser.add_argument("--json", action="store_true", help="print every difference as JSON; progress goes to stderr")
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify the views; 0 when no document differs."""
    import msgspec

    from infrastructure.event_store import EventStoreUnavailable
    from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
    from ops.locations import with_own_stores
    from ops.output import errors, keep_logs_apart, output
    from ops.views.verification.display import print_verified

    if bool(args.names) == args.all:
        raise CommandFailed("name the views to verify, or say --all", "`eventfold views list` names them")
    keep_logs_apart()
    views, console = _views(args.names), output()
    stores = with_own_stores(Path(args.data_dir), settings())
    show = None if args.json else partial(print_verified, console)
    try:
        results = asyncio.run(_verify(errors() if args.json else console, views, stores, args.slices, show))
    except EventStoreUnavailable as error:
        raise CommandFailed(f"the event store can't be read: {error}", STORES_HINT) from error
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise CommandFailed(f"the read store can't be read: {error}", STORES_HINT) from error
    if args.json:
        console.print_json(msgspec.json.encode(results).decode())
    return 1 if any(verified.differences for verified in results) else 0


def _views(names: "Sequence[str]") -> "Sequence[View]":
    from application import APPLICATION

    known = {view.name: view for view in APPLICATION.views}
    for name in names:
        if name not in known:
            raise CommandFailed(f"there is no view {name}", f"the views are: {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] if names else APPLICATION.views


async def _verify(
    console: "Console",
    views: "Sequence[View]",
    settings: "Settings",
    slices: int | None,
    show: "Callable[[Verified], None] | None",
) -> "list[Verified]":
    from application import APPLICATION
    from infrastructure.event_codec import EventCodec
    from infrastructure.event_store import EventStore
    from infrastructure.read_store import ReadStore
    from ops.views.verification.display import progress
    from ops.views.verification.live_build import NotVerifiable, check_log
    from ops.views.verification.verifier import Verifier

    log, store = EventStore.from_settings(settings), ReadStore.from_settings(settings)
    codec = EventCodec(APPLICATION.aggregates)
    results = []
    try:
        for view in views:
            try:
                await check_log(log, store, view)
                with progress(console, view.name) as report:
                    verified = await Verifier(view, codec, log, store, slices=slices, report=report).run()
            except NotVerifiable as error:
                raise CommandFailed(f"{view.name} can't be verified: {error}") from error
            results.append(verified)
            if show is not None:
                show(verified)
    finally:
        await log.close()
        await store.close()
    return results

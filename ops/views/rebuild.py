"""`eventfold views rebuild` and `switch-back`: they begin a build and, if asked to, wait until it is served."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops.errors import EXIT_INTERRUPTED, CommandFailed
from ops.locations import add_projector, projector_address

if TYPE_CHECKING:
    from rich.console import Console

    from ops.locations import Address
    from ops.views.build_watch import Ending
    from ops.views.client import ViewsClient
    from ops.views.responses import View

REBUILD = """\
Build views anew from the whole log, beside the ones that are served; each takes its predecessor's place once it is
level with it. Queries are answered all the while, and never from an older document than before. A projector that is
killed goes on where it was.

Waits until the new builds are served, and shows how far they are. Ctrl-C ends the watching only. Exit status 1 when a
view could not be rebuilt; the reason is said.
"""


def add_rebuild(actions: Any) -> None:
    """Add `rebuild`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "rebuild",
        help="build views anew beside the ones that are served",
        description=REBUILD,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="the views")
    parser.add_argument("--all", action="store_true", help="every view")
    _add_wait(parser, default=True)
    add_projector(parser)
    parser.set_defaults(run=rebuild)


def rebuild(args: argparse.Namespace) -> int:
    """Begin the rebuilds, and watch them if asked to; 0 when all are served, or have begun."""
    from ops.output import output
    from ops.views.client import with_views

    if bool(args.names) == args.all:
        raise CommandFailed("name the views to rebuild, or say --all", "`eventfold views list` names them")
    console, address = output(), projector_address(args)
    begun, refused = with_views(address, lambda views: _begin_rebuilds(console, views, args.names))
    if not begun:
        return 1
    if args.wait:
        return max(int(refused), _wait_until_served(console, address, begun, "rebuild"))
    for name in begun:
        console.print(f"{name}: the rebuild has begun; `eventfold views show {name}` shows how far it is", markup=False)
    return int(refused)


async def _begin_rebuilds(
    console: "Console", views: "ViewsClient", names: Sequence[str]
) -> tuple[dict[str, str | None], bool]:
    """The views whose rebuild has begun, with the collection served until now; whether any was refused."""
    from ops.output import print_error

    begun: dict[str, str | None] = {}
    refused = False
    status, _ = await views.all()
    for name in dict.fromkeys(names or [view.name for view in status.views]):
        view = status.view(name)
        try:
            await views.rebuild(name)
        except CommandFailed as refusal:
            refused = True
            print_error(console, f"{name}: {refusal}")
            console.print(f"  {refusal.hint}", markup=False, soft_wrap=True)
        else:
            begun[name] = None if view is None else view.collection
    return begun, refused


def add_switch_back(actions: Any) -> None:
    """Add `switch-back`."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "switch-back",
        help="go back to the previous build",
        description="Serve the previous build again. It is kept up to date for a while after a switch, so this takes "
        "a moment; it happens once the previous build is level with the live one.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    _add_wait(parser, default=False)
    add_projector(parser)
    parser.set_defaults(run=switch_back)


def switch_back(args: argparse.Namespace) -> int:
    """Begin the switch, and watch it if asked to."""
    from ops.output import output
    from ops.views.client import with_views

    async def begun(views: "ViewsClient") -> "View":
        view, _ = await views.one(args.name)
        await views.switch_back(args.name)
        return view

    console, address = output(), projector_address(args)
    view = with_views(address, begun)
    target = None if view.previous is None else view.previous.collection
    if args.wait:
        return _wait_until_served(console, address, {args.name: view.collection}, "switch-back", target)
    into = target or "the previous build"
    console.print(f"{args.name}: {into} is served again as soon as it is level", markup=False)
    return 0


def _add_wait(parser: argparse.ArgumentParser, *, default: bool) -> None:
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=default,
        help=f"watch until it is served (default: {'--wait' if default else '--no-wait'})",
    )


def _wait_until_served(
    console: "Console", address: "Address", before: Mapping[str, str | None], what: str, target: str | None = None
) -> int:
    """Watches the views' builds to their end. `before` has the collection that each view was served from until now,
    `target` the one that is to be served, where that is known.

    The exit status: 0 when every build is served, 1 when one was cancelled or stopped, 130 after Ctrl-C.
    """
    try:
        endings = asyncio.run(_watch(console, address, before, target))
    except KeyboardInterrupt:
        for name in before:
            ending = f"the {what} goes on, unwatched; end it with: eventfold views cancel {name}"
            console.print(f"{name}: {ending}", markup=False, soft_wrap=True)
        return EXIT_INTERRUPTED
    return 0 if all(ending.succeeded for ending in endings.values()) else 1


async def _watch(
    console: "Console", address: "Address", before: Mapping[str, str | None], target: str | None
) -> "dict[str, Ending]":
    from ops.projector_client import open_projector
    from ops.views.build_progress import build_display
    from ops.views.build_watch import RETRY_TIMEOUT, BuildWatch, watch_builds
    from ops.views.client import ViewsClient

    watches = [BuildWatch(name, collection, target) for name, collection in before.items()]
    async with open_projector(address, retry_timeout=RETRY_TIMEOUT) as projector:
        with build_display(console, list(before)) as display:
            return await watch_builds(ViewsClient(projector), watches, display)

"""`eventfold views …`: how far each view is, and what else is done to one view with one request.

The commands that wait for a build are in rebuild.py, and `verify`, which asks the stores, is in verify.py.
"""

import argparse
from typing import TYPE_CHECKING, Any

from ops.locations import add_projector, projector_address
from ops.options import add_json, count
from ops.views import rebuild, verify

if TYPE_CHECKING:
    from ops.views.client import ViewsClient
    from ops.views.responses import Rebuild

DESCRIPTION = """\
See and steer the views. Queries are answered all the while: a view is built anew beside the one that is served, and
takes its place only once it is level with it.
"""


def add_parser(commands: Any) -> None:
    """Add `views` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "views", help="list, rebuild, divide and verify the views", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    rebuild.add_rebuild(actions)
    _add_cancel(actions)
    rebuild.add_switch_back(actions)
    _add_drop_previous(actions)
    _add_partitions(actions)
    verify.add_parser(actions)


def _add_list(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "list",
        help="every view: how far it is, who projects it, what is under way",
        description="Every view with its live version and collection, its position, its lag in events (~ where that "
        "is an estimate) and seconds, its partitions and their owners, its dead letters, and what is being built.",
    )
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=list_views)


def list_views(args: argparse.Namespace) -> int:
    """Print every view."""
    from ops.output import output
    from ops.views.client import with_views
    from ops.views.display import print_troubles, view_table

    console = output()
    status, body = with_views(projector_address(args), lambda views: views.all())
    if args.json:
        console.print_json(body.decode())
        return 0
    console.print(view_table(status.views))
    print_troubles(console, status.views)
    return 0


def _add_show(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "show",
        help="one view in full, with its partitions, its build under way and its previous one",
        description="All that is known of one view: its live build, each partition with its owner, the build under "
        "way with its pace, and the previous build with the time until which it is kept.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_projector(parser)
    add_json(parser)
    parser.set_defaults(run=show)


def show(args: argparse.Namespace) -> int:
    """Print one view."""
    from ops.output import output
    from ops.views.client import with_views
    from ops.views.display import print_view

    console = output()
    view, body = with_views(projector_address(args), lambda views: views.one(args.name))
    if args.json:
        console.print_json(body.decode())
    else:
        print_view(console, view)
    return 0


def _add_cancel(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "cancel",
        help="give up the build under way",
        description="Give up what is under way for a view. Nothing is left of a new build; after a switch-back the "
        "previous build stays the previous one. What is served does not change.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_projector(parser)
    parser.set_defaults(run=cancel)


def cancel(args: argparse.Namespace) -> int:
    """Cancel the build under way."""
    from ops.views.client import with_views

    async def cancelled(views: "ViewsClient") -> "Rebuild | None":
        view, _ = await views.one(args.name)
        await views.cancel(args.name)
        return view.rebuild

    build = with_views(projector_address(args), cancelled)
    if build is not None and build.kind == "switch_back":
        _say(f"{args.name}: the switch-back is cancelled; {build.collection} is the previous build again")
    else:
        _say(f"{args.name}: the rebuild is cancelled; nothing is left of it")
    return 0


def _add_drop_previous(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "drop-previous",
        help="remove the previous build now",
        description="Remove a view's previous build now rather than when its time is up. There is then nothing to "
        "switch back to. What is served does not change.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    add_projector(parser)
    parser.set_defaults(run=drop_previous)


def drop_previous(args: argparse.Namespace) -> int:
    """Remove the previous build."""
    from ops.views.client import with_views

    with_views(projector_address(args), lambda views: views.drop_previous(args.name))
    _say(f"{args.name}: the previous build is given up and being removed")
    return 0


def _add_partitions(actions: Any) -> None:
    parser: argparse.ArgumentParser = actions.add_parser(
        "partitions",
        help="divide a view anew, so that more instances share its work",
        description="Divide a view into N partitions, by its documents' keys. Each is projected by one instance. No "
        "document is built anew, and queries are answered all the while.",
    )
    parser.add_argument("name", metavar="NAME", help="the view")
    parser.add_argument("partitions", type=count, metavar="N", help="how many partitions (1 to 64)")
    add_projector(parser)
    parser.set_defaults(run=divide)


def divide(args: argparse.Namespace) -> int:
    """Divide the view into partitions."""
    from ops.views.client import with_views

    with_views(projector_address(args), lambda views: views.divide(args.name, args.partitions))
    many = f"{args.partitions} partitions" if args.partitions > 1 else "1 partition"
    _say(f"{args.name}: {many} from now on; `eventfold views show {args.name}` shows who owns which")
    return 0


def _say(text: str) -> None:
    from ops.output import output

    output().print(text, markup=False)

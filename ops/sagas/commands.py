"""`eventfold sagas …`: the instances of processes: list, show, retry, resolve."""

import argparse
from typing import Any

from ops.locations import add_process_manager, process_manager_address
from ops.options import count

DESCRIPTION = """\
The instances of the application's processes: what each has done, what it waits for, when its timers fire. One is stuck
when a compensation has failed after its retries: it is tried again, or taken as done, by your decision.
"""


def add_parser(commands: Any) -> None:
    """Add `sagas` with its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "sagas", help="the instances of processes: list, show, retry, resolve", description=DESCRIPTION
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    listing = _action(actions, "list", "the newest of them", list_newest)
    listing.add_argument("--stuck", action="store_true", help="only those that wait for an operator")
    listing.add_argument("--running", action="store_true", help="only those that have not ended and are not stuck")
    listing.add_argument("--limit", type=count, default=50, metavar="N", help="how many at most (default: 50)")
    show = _action(actions, "show", "one of them: every step, command, answer and time", show_one)
    retry = _action(actions, "retry", "try the failed steps of one again", retry_one)
    resolve = _action(
        actions, "resolve", "take the failed steps of one as done: they were seen to by hand", resolve_one
    )
    for one in (show, retry, resolve):
        one.add_argument("instance", metavar="ID", help="the instance, such as the order")
    for one in (retry, resolve):
        one.add_argument("--step", metavar="STEP", help="only this step (default: all that have failed)")
    resolve.add_argument("--reason", required=True, metavar="TEXT", help="what was done about it; it is kept")
    for one in (listing, show):
        one.add_argument("--json", action="store_true", help="print JSON")


def _action(actions: Any, name: str, what: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.add_argument("--process", metavar="NAME", help="the process (default: the only one there is)")
    add_process_manager(parser)
    parser.set_defaults(run=run)
    return parser


def list_newest(args: argparse.Namespace) -> int:
    """Print the newest instances."""
    import msgspec

    from ops.output import output
    from ops.sagas.client import SagasClient, with_sagas
    from ops.sagas.display import print_page
    from ops.sagas.responses import Page

    status = "stuck" if args.stuck else "running" if args.running else None

    async def ask(client: SagasClient) -> Page:
        return await client.list(await client.process(args.process), args.limit, status)

    page = with_sagas(process_manager_address(args), ask)
    console = output()
    if args.json:
        console.print_json(msgspec.json.encode(page).decode())
    else:
        print_page(console, page)
    return 0


def show_one(args: argparse.Namespace) -> int:
    """Print all of an instance, and the chain of the contract that its order has."""
    from ops.chains.client import ChainDetails
    from ops.chains.display import print_chain
    from ops.output import output
    from ops.sagas.client import SagasClient, with_sagas
    from ops.sagas.display import print_details
    from ops.sagas.responses import Details

    async def ask(client: SagasClient) -> tuple[Details, bytes, ChainDetails | None]:
        details, told = await client.one(await client.process(args.process), args.instance)
        return details, told, None if args.json else await client.contract(args.instance)

    details, told, contract = with_sagas(process_manager_address(args), ask)
    console = output()
    if args.json:
        console.print_json(told.decode())
    else:
        print_details(console, details)
        if contract is not None:
            console.print()
            print_chain(console, contract)
    return 0


def retry_one(args: argparse.Namespace) -> int:
    """Have the failed steps tried again."""
    from ops.output import output
    from ops.sagas.client import SagasClient, with_sagas
    from ops.sagas.responses import Changed

    async def ask(client: SagasClient) -> Changed:
        return await client.retry(await client.process(args.process), args.instance, args.step)

    changed = with_sagas(process_manager_address(args), ask)
    output().print(f"{changed.process} {changed.instance}: {', '.join(changed.steps)} is tried again", markup=False)
    return 0


def resolve_one(args: argparse.Namespace) -> int:
    """Take the failed steps as done."""
    from ops.output import output
    from ops.sagas.client import SagasClient, with_sagas
    from ops.sagas.responses import Changed

    async def ask(client: SagasClient) -> Changed:
        process = await client.process(args.process)
        return await client.resolve(process, args.instance, args.reason, args.step)

    changed = with_sagas(process_manager_address(args), ask)
    output().print(f"{changed.process} {changed.instance}: {', '.join(changed.steps)} is taken as done", markup=False)
    return 0

"""`eventfold payments reconcile`."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import EXIT_FAILED, CommandFailed
from ops.locations import command_api_address, with_own_provider, with_own_stores
from ops.options import add_reconcile, settings

if TYPE_CHECKING:
    from infrastructure.settings import Settings
    from ops.payments.reconciliation import Reconciled

RECONCILE = """\
Compare every payment of the log with the provider's list of charges: charges that we do not know, or think failed,
amounts that differ, refunds that are missing. What differs is looked at a second time, so that what is under way at the
moment does not count. The provider is that of --data-dir, else that of
EVENTFOLD_PAYMENTS_URL and EVENTFOLD_PAYMENTS_KEY.

Exit status: 0 when both sides agree, if need be after --apply; 1 when something differs.
"""


def add_parser(commands: Any) -> None:
    """Add `payments` with its sub-command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "payments", help="compare payments with the provider's list", description="Payments beside the provider's list."
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    reconcile = add_reconcile(
        actions,
        "what differs between our payments and the provider's charges",
        "record what the provider has done where that is safe, then compare again",
        RECONCILE,
    )
    reconcile.add_argument(
        "--provider", metavar="URL", help="the provider (default: that of --data-dir, else EVENTFOLD_PAYMENTS_URL)"
    )
    reconcile.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what differs; 0 when nothing does."""
    from ops.output import keep_logs_apart, output
    from ops.payments.display import as_json, print_reconciled

    keep_logs_apart()
    found, mended, refused = asyncio.run(_reconcile(args))
    console = output()
    if args.json:
        console.print_json(as_json(found, mended, refused))
    else:
        print_reconciled(console, found, mended, refused)
    return EXIT_FAILED if found.differences else 0


async def _reconcile(args: argparse.Namespace) -> "tuple[Reconciled, int, dict[str, str]]":
    """What differs (still), how many were mended, and why others could not be."""
    from infrastructure.event_store import EventStore, EventStoreUnavailable
    from infrastructure.outside.payments import RefusedByProvider
    from infrastructure.outside.payments.sandbox import SandboxProvider
    from infrastructure.resilience import DependencyUnavailable
    from ops.payments.reconciliation import Reconciliation

    data_dir = Path(args.data_dir)
    chosen = with_own_provider(data_dir, with_own_stores(data_dir, settings()))
    if args.provider:
        chosen = chosen.changed(payments_url=args.provider)
    log, provider = EventStore.from_settings(chosen), SandboxProvider.from_settings(chosen)
    reconciliation = Reconciliation(log, provider, wait=args.wait)
    try:
        found = await reconciliation.run()
        if not args.apply or not any(one.mend for one in found.differences):
            return found, 0, {}
        refused = await _mend(args, chosen, found)
        before = {one.identity for one in found.differences if one.mend}
        again = await reconciliation.run()
        mended = before - {one.identity for one in again.differences}
        return again, len(mended), refused
    except EventStoreUnavailable as error:
        raise CommandFailed(
            f"the event store can't be reached: {error}", "eventfold up, or set EVENTFOLD_EVENTSTORE_URI"
        ) from error
    except DependencyUnavailable as error:
        raise CommandFailed(
            str(error), "EVENTFOLD_PAYMENTS_URL and EVENTFOLD_PAYMENTS_KEY name the provider"
        ) from error
    except RefusedByProvider as error:
        raise CommandFailed(f"the payment provider refuses to list charges: {error}") from error
    finally:
        await log.close()
        await provider.close()


async def _mend(args: argparse.Namespace, chosen: "Settings", found: "Reconciled") -> dict[str, str]:
    from infrastructure.outside.commands import CommandClient
    from ops.payments.reconciliation import mend

    address = command_api_address(args)
    commands = CommandClient.from_settings(chosen.changed(commands_url=address.url), "reconciliation", address.tokens)
    try:
        return await mend(found.differences, commands)
    finally:
        await commands.close()

"""`eventfold documents reconcile`."""

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import EXIT_FAILED, CommandFailed
from ops.locations import command_api_address, stack_settings, with_own_signature_provider
from ops.options import add_reconcile

if TYPE_CHECKING:
    from infrastructure.outside.signatures import SignatureProvider
    from infrastructure.settings import Settings
    from ops.documents.reconciliation import Reconciled

RECONCILE = """\
Compare every contract that was sent to the signing provider with the provider's list: signatures that we have not
recorded, requests that we do not know, that were left open, or are gone. What differs is looked at a second time, so
that what is under way at the moment does not count. The provider is that of --data-dir, else that of
EVENTFOLD_SIGNATURE_PROVIDER, EVENTFOLD_SIGNATURE_URL and EVENTFOLD_SIGNATURE_KEY.

Exit status: 0 when both sides agree, if need be after --apply; 1 when something differs.
"""


def add_parser(actions: Any) -> None:
    """Add `reconcile`."""
    reconcile = add_reconcile(
        actions,
        "what differs between our contracts and the signing provider's requests",
        "record and cancel what was missed where that is safe, then compare again",
        RECONCILE,
    )
    reconcile.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what differs; 0 when nothing does."""
    from ops.documents.display import as_json, print_reconciled
    from ops.output import keep_logs_apart, output

    keep_logs_apart()
    found, mended, refused = asyncio.run(_reconcile(args))
    console = output()
    if args.json:
        console.print_json(as_json(found, mended, refused))
    else:
        print_reconciled(console, found, mended, refused)
    return EXIT_FAILED if found.differences else 0


async def _reconcile(args: argparse.Namespace) -> "tuple[Reconciled, int, Mapping[str, str]]":
    """What differs (still), how many were mended, and why others could not be."""
    from infrastructure.event_store import EventStore, EventStoreUnavailable
    from infrastructure.outside.signatures import RefusedBySignatureProvider
    from infrastructure.outside.signatures.configured import signature_provider
    from infrastructure.resilience import DependencyUnavailable
    from ops.documents.reconciliation import Reconciliation

    chosen = with_own_signature_provider(Path(args.data_dir), stack_settings(args))
    provider = signature_provider(chosen)
    if provider is None:
        raise CommandFailed("no signing provider is chosen", "EVENTFOLD_SIGNATURE_PROVIDER chooses one")
    log = EventStore.from_settings(chosen)
    reconciliation = Reconciliation(log, provider, wait=args.wait)
    try:
        found = await reconciliation.run()
        if not args.apply or not any(one.mend for one in found.differences):
            return found, 0, {}
        refused = await _mend(args, chosen, found, provider)
        before = {one.identity for one in found.differences if one.mend}
        again = await reconciliation.run()
        return again, len(before - {one.identity for one in again.differences}), refused
    except EventStoreUnavailable as error:
        raise CommandFailed(
            f"the event store can't be reached: {error}", "eventfold up, or set EVENTFOLD_EVENTSTORE_URI"
        ) from error
    except DependencyUnavailable as error:
        raise CommandFailed(
            str(error), "EVENTFOLD_SIGNATURE_URL and EVENTFOLD_SIGNATURE_KEY name the provider"
        ) from error
    except RefusedBySignatureProvider as error:
        raise CommandFailed(f"the signing provider refuses to list requests: {error}") from error
    finally:
        await log.close()
        await provider.close()


async def _mend(
    args: argparse.Namespace, chosen: "Settings", found: "Reconciled", provider: "SignatureProvider"
) -> Mapping[str, str]:
    from application.contracts.provider_records import ProviderRecords
    from infrastructure.outside.commands import CommandClient
    from infrastructure.outside.signatures.configured import trusted_authorities
    from ops.documents.reconciliation import mend
    from ops.documents.stores import documents_of

    store = documents_of(chosen)
    address = command_api_address(args)
    commands = CommandClient.from_settings(chosen.changed(commands_url=address.url), "reconciliation", address.tokens)
    try:
        return await mend(
            found.differences, ProviderRecords(commands, provider, store, trusted_authorities(chosen)), provider
        )
    finally:
        await commands.close()

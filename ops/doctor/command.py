"""`eventfold doctor`: what is wrong between the log and what was built from it, and what mends it."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.locations import add_projector, projector_address, with_own_stores
from ops.options import settings

if TYPE_CHECKING:
    from rich.console import Console

    from infrastructure.read_store import ReadStore
    from infrastructure.settings import Settings
    from ops.doctor.facts import Facts, Known
    from ops.doctor.findings import Finding
    from ops.doctor.remedies import Treated

DESCRIPTION = """\
Compare the log with everything that follows it: checkpoints, builds, leases, dead letters and what is asked for. Says
what is behind, ahead (built from another log, or from more of it than there is), orphaned or stuck, and for each the
command that mends it. Asks the two stores, not the services: it works while they are down. It takes up to twice the
lease (EVENTFOLD_CONSUMER_LEASE) and a second, to see who is alive.

With --apply it does what can be done without people: rebuilds, cancels builds that can't go on, replays dead letters,
removes what is left of what no record names; then it looks again.

Exit status 1 when something is wrong, with --apply when something still is.
"""


def add_parser(commands: Any) -> None:
    """Add `doctor`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="what is wrong between the log and what was built from it, and what mends it",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--apply", action="store_true", help="mend what can be mended without people")
    parser.add_argument(
        "--forget",
        action="append",
        default=[],
        metavar="NAME",
        help="with --apply: remove what is stored for a view or consumer that no code knows any more",
    )
    parser.add_argument("--json", action="store_true", help="print JSON; progress goes to stderr")
    add_projector(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what is wrong, and mend it if asked to; 0 when nothing is (left) wrong."""
    from ops.doctor.display import as_json, print_findings
    from ops.output import keep_logs_apart, output

    if args.forget and not args.apply:
        raise CommandFailed("--forget removes something, so it needs --apply")
    keep_logs_apart()
    console = output()
    facts, findings, treated = asyncio.run(_examine(args, Path(args.data_dir), console))
    if args.json:
        console.print_json(as_json(facts, findings, treated))
    else:
        print_findings(console, facts, findings, treated)
    return 1 if findings else 0


async def _examine(
    args: argparse.Namespace, data_dir: Path, console: "Console"
) -> "tuple[Facts | None, list[Finding], list[Treated]]":
    """The facts (None where a store does not answer), what is wrong now, and what has been done."""
    from application import APPLICATION
    from infrastructure.event_store import EventStore, EventStoreUnavailable
    from infrastructure.read_store import ReadStore, ReadStoreRefused, ReadStoreUnavailable
    from ops.doctor.checks import diagnose
    from ops.doctor.examination import Examination
    from ops.doctor.files import unusable_files
    from ops.doctor.findings import Finding

    chosen = with_own_stores(data_dir, settings())
    log, store = EventStore.from_settings(chosen), ReadStore.from_settings(chosen)
    treated: list[Treated] = []
    files = list(unusable_files(APPLICATION, data_dir, chosen))
    try:
        examination = Examination(log, store, _known(store, chosen), lease=chosen.consumers.lease)
        facts = await examination.run()
        findings = [*diagnose(facts), *files]
        _require_forgettable(args.forget, findings)
        if args.apply and findings:
            treated = await _treat(args, console, store, facts, findings)
            facts = await examination.run()
            findings = [*diagnose(facts), *files]
    except EventStoreUnavailable as error:
        start = "eventfold up, or set EVENTFOLD_EVENTSTORE_URI"
        return None, [Finding("unreachable", "event store", str(error), start), *files], treated
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        start = "eventfold up, or set EVENTFOLD_MONGO_URI"
        return None, [Finding("unreachable", "read store", str(error), start), *files], treated
    else:
        return facts, findings, treated
    finally:
        await log.close()
        await store.close()


def _known(store: "ReadStore", chosen: "Settings") -> "Known":
    from application import APPLICATION
    from infrastructure.outside.calls import OVER_NETWORK
    from ops.doctor.facts import Known

    return Known(
        frozenset(view.name for view in APPLICATION.views),
        frozenset(create(store, OVER_NETWORK).name for create in APPLICATION.consumers)
        | {process.name for process in APPLICATION.processes}
        | _destinations(chosen),
        frozenset(process.name for process in APPLICATION.processes),
    )


def _destinations(chosen: "Settings") -> set[str]:
    """The consumers of the destinations in the file that the settings name."""
    from application import APPLICATION
    from event_relay.destinations import read_destinations
    from infrastructure.integration.publisher import Publisher
    from infrastructure.settings import InvalidSettings

    if not chosen.relay.destinations:
        return set()
    types = Publisher(APPLICATION.publications).types
    try:
        return {one.consumer for one in read_destinations(Path(chosen.relay.destinations), types)}
    except InvalidSettings as error:
        raise CommandFailed(str(error)) from error


def _require_forgettable(names: list[str], findings: "list[Finding]") -> None:
    from ops.doctor.findings import Forget

    unknown = {one.remedy.name for one in findings if isinstance(one.remedy, Forget)}
    for name in names:
        if name not in unknown:
            known = f"those that can be: {', '.join(sorted(unknown))}" if unknown else "there is none that can be"
            raise CommandFailed(f"{name} can't be forgotten: no view or consumer without code is called so", known)


async def _treat(
    args: argparse.Namespace, console: "Console", store: "ReadStore", facts: "Facts", findings: "list[Finding]"
) -> "list[Treated]":
    from ops.doctor.findings import Forget, Rebuild
    from ops.doctor.remedies import Remedies
    from ops.output import errors
    from ops.views.build_progress import build_display

    wanted = [
        one
        for one in findings
        if one.remedy and not (isinstance(one.remedy, Forget) and one.remedy.name not in args.forget)
    ]
    views = list(dict.fromkeys(one.remedy.view for one in wanted if isinstance(one.remedy, Rebuild)))
    with build_display(errors() if args.json else console, views) as builds:
        return await Remedies(store, projector_address(args), facts, builds).treat(wanted)

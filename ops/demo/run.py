"""The demo, step by step."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from embedded.supervisor.service import Timings
from embedded.supervisor.supervisor import Supervisor
from examples.retail.baskets.basket import Basket
from examples.retail.baskets.sample import SAMPLE_FILE, read_sample
from examples.retail.loading.loader import Loader
from examples.retail.loading.outcome import Outcome
from examples.retail.reconciliation.expected import figures_of_file
from examples.retail.reconciliation.observed import UnexpectedAnswer, observed_figures
from infrastructure.http.client import ServiceClient
from infrastructure.settings import PREFIX
from ops.demo.crashes import Crashes
from ops.demo.lag import LagMeter
from ops.demo.report import Report, print_report
from ops.errors import CommandFailed
from ops.locations import COMMAND_API, QUERY_API, short_url
from ops.output import progress_bar
from ops.stack.specs import Ports, stages
from ops.stack.supervision import supervised

HOST = "127.0.0.1"
BACK_TIMEOUT = 60.0
# Only the demo uses this stack, so there is no request to wait for when Ctrl-C ends it.
STOP_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line chose; `keep` leaves the stack running after the report, until Ctrl-C."""

    data_dir: Path
    in_flight: int
    crash: bool
    keep: bool


async def demo(console: Console, options: DemoOptions) -> bool:
    """Runs the demo; whether everything was exact.

    Raises:
        CommandFailed: a service could not be started, or answered what it must not.
        NoResponse: a service gave no answer for a minute.
    """
    baskets = list(read_sample())
    crashes = Crashes(len(baskets) if options.crash else 0, announce=console.print)
    own_stages = stages(options.data_dir, HOST, Ports.free(HOST), _environment())
    console.print(f"Starting the stack on {options.data_dir}", soft_wrap=True)
    async with (
        supervised(options.data_dir, own_stages, crashes.changed, Timings(stop_grace=STOP_GRACE)) as supervisor,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        _print_urls(console, supervisor)
        crashes.supervisor = supervisor
        command_api = ServiceClient(supervisor.services[COMMAND_API].spec.url, session)
        query_api = ServiceClient(supervisor.services[QUERY_API].spec.url, session)
        async with LagMeter(query_api) as lag:
            outcome = await _load(console, command_api, baskets, options.in_flight, crashes, lag)
            problems = await _problems_after(lag, outcome, crashes)
        report = await _reconcile(query_api, outcome, crashes, lag, problems)
        print_report(console, report)
        if options.keep:
            await _keep(console, supervisor, options.data_dir)
    return report.exact


async def _load(
    console: Console,
    command_api: ServiceClient,
    baskets: Sequence[Basket],
    in_flight: int,
    crashes: Crashes,
    lag: LagMeter,
) -> Outcome:
    console.print(f"Placing {len(baskets):,} baskets, {in_flight} at a time, and moving the orders on")
    with progress_bar(console, "baskets", total=len(baskets)) as advance:

        def on_done(_: int) -> None:
            advance()
            crashes.basket_done()

        loader = Loader(
            command_api, in_flight=in_flight, move_on=True, on_acknowledged=lag.acknowledged, on_done=on_done
        )
        return await loader.load(baskets)


async def _problems_after(lag: LagMeter, outcome: Outcome, crashes: Crashes) -> list[str]:
    """Waits for the restarts and the reads under way; what went wrong, apart from the figures."""
    problems: list[str] = []
    try:
        await crashes.all_back(BACK_TIMEOUT)
    except TimeoutError:
        late = ", ".join(crash.service for crash in crashes.done if crash.ready_at is None)
        problems.append(f"not ready again after kill -9 within {BACK_TIMEOUT:.0f} s: {late}")
    problems += [f"the load ended before {name} was killed" for name in crashes.not_done]
    await lag.finish()
    problems += lag.failures
    problems += [f"refused, but for its lines: {refusal}" for refusal in outcome.refusals if refusal.status != 400]
    return problems


async def _reconcile(
    query_api: ServiceClient, outcome: Outcome, crashes: Crashes, lag: LagMeter, problems: list[str]
) -> Report:
    expected = figures_of_file(SAMPLE_FILE)
    try:
        got = await observed_figures(
            query_api,
            outcome.position,
            customers={basket.customer_id for basket in read_sample()},
            days=expected.days,
            refusals=outcome.refusals,
        )
    except UnexpectedAnswer as error:
        raise CommandFailed(str(error)) from error
    return Report(expected, got, outcome, crashes.done, lag.samples, problems)


async def _keep(console: Console, supervisor: Supervisor, data_dir: Path) -> None:
    console.print(f"\nThe stack goes on until Ctrl-C; see eventfold status --data-dir {data_dir}", soft_wrap=True)
    _print_urls(console, supervisor)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        # Ctrl-C is the normal end here: the report's verdict stays the exit status.
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()


def _print_urls(console: Console, supervisor: Supervisor) -> None:
    for name, service in supervisor.services.items():
        console.print(f"  {name:<12} {short_url(service.spec.url)}", markup=False, soft_wrap=True)


def _environment() -> dict[str, str]:
    """This process's environment without settings: the demo must not write to real stores."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}

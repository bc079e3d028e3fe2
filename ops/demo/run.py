"""The demo, step by step."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import aiohttp
from rich.console import Console

from embedded.supervisor.service import Timings
from embedded.supervisor.supervisor import Supervisor
from examples.retail.baskets.basket import Basket
from examples.retail.baskets.sample import SAMPLE_FILE, read_sample
from examples.retail.loading.loader import Loader
from examples.retail.loading.outcome import Outcome
from examples.retail.loading.stock_receipts import StockRefused, receive_stock
from examples.retail.reconciliation.expected import figures_of_file
from examples.retail.reconciliation.fulfilment import fulfilment_differences
from examples.retail.reconciliation.observed import UnexpectedAnswer, observed_figures
from examples.retail.reconciliation.outside import fulfilment_figures
from examples.retail.stock import demand_of, supply_for
from infrastructure.http.client import ServiceClient
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.own_tokens import NoToken, OwnMadeToken, TokenSource
from infrastructure.security.signing_key import read_signing_key
from infrastructure.settings import PREFIX, Settings
from ops.credentials import ROLES
from ops.demo.contracts import read_contracts
from ops.demo.crashes import Crashes
from ops.demo.lag import LagMeter
from ops.demo.report import Report, print_report
from ops.demo.settling import Settled, until_settled
from ops.errors import CommandFailed
from ops.locations import COMMAND_API, MAIL_SINK, PAYMENT_PROVIDER, PROJECTOR, QUERY_API, SANDBOX_KEY, short_url
from ops.output import progress_bar
from ops.stack.specs import AUTH, Ports, stages
from ops.stack.supervision import supervised

HOST = "127.0.0.1"
BACK_TIMEOUT = 60.0
SETTLING_TIMEOUT = 300.0
# Of 100 customers, so many are declined, charged a second later, and declined a second later.
OURS = (COMMAND_API, QUERY_API, PROJECTOR)
SANDBOX = ("--declined", "4", "--later", "20", "--declined-later", "4")
# Only the demo uses this stack, so there is no request to wait for when Ctrl-C ends it.
STOP_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line chose; `keep` leaves the stack running after the report, until Ctrl-C; without `auth` the
    services ask for no tokens."""

    data_dir: Path
    baskets: int
    in_flight: int
    crash: bool
    keep: bool
    auth: bool = True


async def demo(console: Console, options: DemoOptions) -> bool:
    """Runs the demo; whether everything was exact.

    Raises:
        CommandFailed: a service could not be started, or answered what it must not.
        NoResponse: a service gave no answer for a minute.
    """
    baskets = list(islice(read_sample(), options.baskets))
    supply = supply_for(demand_of(baskets))
    crashes = Crashes(len(baskets) if options.crash else 0, announce=console.print)
    own_stages = stages(options.data_dir, HOST, Ports.free(HOST), _environment(options.auth), sandbox=SANDBOX)
    console.print(f"Starting the stack on {options.data_dir}", soft_wrap=True)
    async with (
        supervised(options.data_dir, own_stages, crashes.changed, Timings(stop_grace=STOP_GRACE)) as supervisor,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        _print_urls(console, supervisor)
        crashes.supervisor = supervisor
        clients = {
            name: ServiceClient(one.spec.url, session, tokens=_tokens(name, options.data_dir))
            for name, one in supervisor.services.items()
        }
        await _receive(console, clients[COMMAND_API], supply, options.in_flight)
        async with LagMeter(clients[QUERY_API]) as lag:
            outcome = await _load(console, clients[COMMAND_API], baskets, options.in_flight, crashes, lag)
            settled = await _settle(console, clients, outcome, crashes)
            problems = await _problems_after(lag, outcome, crashes)
        await _read_contracts(console, clients[QUERY_API], settled, problems)
        report = await _reconcile(clients, baskets, supply, outcome, settled, crashes, lag, problems)
        print_report(console, report)
        if options.keep:
            await _keep(console, supervisor, options.data_dir)
    return report.exact


async def _receive(console: Console, command_api: ServiceClient, supply: Mapping[str, int], in_flight: int) -> None:
    console.print(f"Receiving stock of {len(supply):,} articles, of some too little for all orders")
    with progress_bar(console, "articles", total=len(supply)) as advance:
        try:
            await receive_stock(command_api, supply, load="demo", in_flight=in_flight, on_done=lambda _: advance())
        except StockRefused as error:
            raise CommandFailed(str(error)) from error


async def _settle(
    console: Console, clients: Mapping[str, ServiceClient], outcome: Outcome, crashes: Crashes
) -> Settled:
    """Waits until every order has ended, while more is killed."""
    console.print("Stock is reserved, payments are charged, orders confirmed or cancelled, mails sent")
    return await until_settled(
        clients[QUERY_API],
        clients[PROJECTOR],
        outcome.position,
        seconds=SETTLING_TIMEOUT,
        meanwhile=crashes.next_after,
    )


async def _load(
    console: Console,
    command_api: ServiceClient,
    baskets: Sequence[Basket],
    in_flight: int,
    crashes: Crashes,
    lag: LagMeter,
) -> Outcome:
    console.print(f"Placing {len(baskets):,} baskets as orders, {in_flight} at a time")
    with progress_bar(console, "baskets", total=len(baskets)) as advance:

        def on_done(_: int) -> None:
            advance()
            crashes.basket_done()

        loader = Loader(
            command_api, in_flight=in_flight, move_on=False, on_acknowledged=lag.acknowledged, on_done=on_done
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


async def _read_contracts(console: Console, query_api: ServiceClient, settled: Settled, problems: list[str]) -> None:
    confirmed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await query_api.get("/orders", status="confirmed", limit="200", **cursor)).json()
        confirmed += [order["order_id"] for order in page["items"]]
        if not page.get("next"):
            break
        cursor = {"cursor": page["next"]}
    found = await read_contracts(query_api, confirmed, settled.position)
    problems += found.problems
    console.print(f"{found.right:,} contracts are served as PDF, each with the SHA-256 that its events say")
    if found.example is not None:
        console.print(f"One of them: {found.example}", soft_wrap=True)


async def _reconcile(
    clients: Mapping[str, ServiceClient],
    baskets: Sequence[Basket],
    supply: Mapping[str, int],
    outcome: Outcome,
    settled: Settled,
    crashes: Crashes,
    lag: LagMeter,
    problems: list[str],
) -> Report:
    try:
        got = await observed_figures(
            clients[QUERY_API],
            settled.position,
            customers={basket.customer_id for basket in baskets},
            days=figures_of_file(SAMPLE_FILE, len(baskets)).days,
            refusals=outcome.refusals,
        )
        fulfilled = await fulfilment_figures(
            clients[QUERY_API], clients[PAYMENT_PROVIDER], SANDBOX_KEY, clients[MAIL_SINK], settled.position
        )
    except UnexpectedAnswer as error:
        raise CommandFailed(str(error)) from error
    endings = {order_id: order.status for order_id, order in got.orders.items()}
    expected = figures_of_file(SAMPLE_FILE, len(baskets), endings)
    return Report(
        expected,
        got,
        outcome,
        crashes.done,
        lag.samples,
        problems,
        fulfilled,
        fulfilment_differences(baskets, supply, endings, fulfilled),
        settled,
    )


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
        console.print(f"  {name:<16} {short_url(service.spec.url)}", markup=False, soft_wrap=True)


def _tokens(service: str, data_dir: Path) -> TokenSource:
    """What our services are told of who asks; the stand-ins for the outside must not see it."""
    keys = DevelopmentKeys(data_dir)
    if service not in OURS or not keys.exist:
        return NoToken()
    key = read_signing_key(keys.signing_key, "the stack's key", Settings().authentication)
    return OwnMadeToken(key, "demo", ROLES, Settings().own_token.ttl)


def _environment(auth: bool) -> dict[str, str]:
    """This process's environment without settings: the demo must not write to real stores."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return own if auth else {**own, AUTH: "off"}

"""The demo, step by step."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from infrastructure.outside.signing.development_ca import DevelopmentCa
from infrastructure.settings import PREFIX, load_settings
from ops.demo.contracts import read_contracts
from ops.demo.crashes import Crashes
from ops.demo.lag import LagMeter
from ops.demo.published import published_in
from ops.demo.report import Report, print_report
from ops.demo.settling import Settled, until_settled
from ops.demo.signing import sign_contracts
from ops.demo.subscribers import Subscribers
from ops.demo.tokens import customer_tokens, service_tokens
from ops.errors import CommandFailed
from ops.locations import (
    COMMAND_API,
    EVENT_RELAY,
    MAIL_SINK,
    PAYMENT_PROVIDER,
    PROJECTOR,
    QUERY_API,
    SANDBOX_KEY,
    short_url,
)
from ops.output import progress_bar
from ops.stack.specs import AUTH, DESTINATIONS, Ports, stages
from ops.stack.supervision import supervised

HOST = "127.0.0.1"
BACK_TIMEOUT = 60.0
SETTLING_TIMEOUT = 300.0
# Of 100 customers, so many are declined, charged a second later, and declined a second later.
SANDBOX = ("--declined", "4", "--later", "20", "--declined-later", "4")
# Only the demo uses this stack, so there is no request to wait for when Ctrl-C ends it.
# On a busy machine everything may take a while to start.
TIMINGS = Timings(start_timeout=300.0, stop_grace=2.0)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line chose; `keep` leaves the stack running after the report, until Ctrl-C; without `auth` the
    services ask for no tokens. `broker` is the URL of one that the events go to as well."""

    data_dir: Path
    baskets: int
    in_flight: int
    crash: bool
    keep: bool
    auth: bool = True
    broker: str | None = None


async def demo(console: Console, options: DemoOptions) -> bool:
    """Runs the demo; whether everything was exact.

    Raises:
        CommandFailed: a service could not be started, or answered what it must not.
        NoResponse: a service gave no answer for a minute.
    """
    baskets = list(islice(read_sample(), options.baskets))
    supply = supply_for(demand_of(baskets))
    crashes = Crashes(len(baskets) if options.crash else 0, announce=console.print)
    subscribers = Subscribers(options.data_dir, options.broker)
    environment = {**_environment(options.auth), DESTINATIONS: str(subscribers.destinations)}
    own_stages = stages(options.data_dir, HOST, Ports.free(HOST), environment, sandbox=SANDBOX)
    console.print(f"Starting the stack on {options.data_dir}", soft_wrap=True)
    async with (
        subscribers.listening(),
        supervised(options.data_dir, own_stages, crashes.changed, TIMINGS) as supervisor,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        _print_urls(console, supervisor)
        crashes.supervisor = supervisor
        clients = {
            name: ServiceClient(one.spec.url, session, tokens=service_tokens(name, options.data_dir))
            for name, one in supervisor.services.items()
        }
        await _receive(console, clients[COMMAND_API], supply, options.in_flight)
        async with LagMeter(clients[QUERY_API]) as lag, subscribers.reading(clients[EVENT_RELAY]):
            outcome = await _load(console, clients[COMMAND_API], baskets, options.in_flight, crashes, lag)
            settled = await _settle(console, clients, outcome, crashes)
            problems = await _problems_after(lag, outcome, crashes)
            position, signed = await _sign(console, clients, settled, options.data_dir)
            await _compare_published(console, supervisor, subscribers, clients[EVENT_RELAY], problems)
        settled = replace(settled, position=position)
        await _read_contracts(console, clients[QUERY_API], signed, settled, options.data_dir, problems)
        report = await _reconcile(clients, baskets, supply, outcome, settled, crashes, lag, problems, signed)
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


async def _sign(
    console: Console, clients: Mapping[str, ServiceClient], settled: Settled, data_dir: Path
) -> tuple[int, list[str]]:
    """Customers sign; the log's last position when all that follows from it is done, and the orders."""
    command_api, query_api = clients[COMMAND_API], clients[QUERY_API]
    signed = await sign_contracts(
        command_api, query_api, settled.position, lambda customer_id: customer_tokens(customer_id, data_dir)
    )
    again = await until_settled(
        query_api, clients[PROJECTOR], settled.position, seconds=SETTLING_TIMEOUT, meanwhile=lambda: False
    )
    console.print(f"{len(signed)} customers have signed their contracts, each with a token of its own")
    return again.position, signed


async def _compare_published(
    console: Console, supervisor: Supervisor, subscribers: Subscribers, relay: ServiceClient, problems: list[str]
) -> None:
    """What the subscribers have, beside the pure mapping of the log."""
    settings = load_settings(supervisor.services[EVENT_RELAY].spec.environment)
    expected = await published_in(settings)
    console.print("What is published, as subscribers have it:")
    for one in await subscribers.compared(relay, expected):
        console.print(f"  {one}", markup=False, soft_wrap=True)
        problems += one.problems


async def _read_contracts(
    console: Console,
    query_api: ServiceClient,
    signed: Sequence[str],
    settled: Settled,
    data_dir: Path,
    problems: list[str],
) -> None:
    confirmed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await query_api.get("/orders", status="confirmed", limit="200", **cursor)).json()
        confirmed += [order["order_id"] for order in page["items"]]
        if not page.get("next"):
            break
        cursor = {"cursor": page["next"]}
    authority = DevelopmentCa(data_dir / "keys" / "documents").authority
    found = await read_contracts(query_api, confirmed, signed, settled.position, authority)
    problems += found.problems
    console.print(f"{found.right:,} contracts are served as PDF, each with the SHA-256 that its events say")
    if found.sealed:
        console.print(f"{found.sealed} of them are signed, and sealed with a digital signature that holds")
    if found.example is not None:
        console.print(f"One of them: {found.example}", soft_wrap=True)
        check = f"eventfold documents verify {found.example} --ca {found.authority}"
        console.print(f"  its signature is checked by: {check}" if found.sealed else "", soft_wrap=True)


async def _reconcile(
    clients: Mapping[str, ServiceClient],
    baskets: Sequence[Basket],
    supply: Mapping[str, int],
    outcome: Outcome,
    settled: Settled,
    crashes: Crashes,
    lag: LagMeter,
    problems: list[str],
    signed: Sequence[str],
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
        fulfilment_differences(baskets, supply, endings, fulfilled, signed),
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


def _environment(auth: bool) -> dict[str, str]:
    """This process's environment without settings: the demo must not write to real stores."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return own if auth else {**own, AUTH: "off"}

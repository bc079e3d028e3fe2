"""The provider as a process."""

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from aiohttp import web

from embedded.payment_provider.api import MAX_BODY_BYTES, SESSION, Provider, refusing
from embedded.payment_provider.ledger import Ledger
from embedded.payment_provider.rules import Rules
from embedded.payment_provider.secrets import (
    DEFAULT_KEY,
    DEFAULT_SECRET,
    KEY_VARIABLE,
    SECRET_VARIABLE,
    from_environment,
)
from embedded.payment_provider.webhooks import Webhooks


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        rules = Rules(arguments.declined, arguments.later, arguments.declined_later)
        key, secret = from_environment(os.environ)
    except ValueError as error:
        sys.stderr.write(f"payment provider: {error}\n")
        return 2
    return asyncio.run(_serve(arguments, rules, key, secret))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payment-provider",
        description="A sandbox payment provider over HTTP, for this machine alone.",
        epilog=f"The environment may set {KEY_VARIABLE}, the API key that merchants send (default: {DEFAULT_KEY}), and "
        f"{SECRET_VARIABLE}, which signs the webhooks (default: {DEFAULT_SECRET}); or, with _FILE at the end of the "
        "name, a file that holds it. A command line is no place for them: everybody on the machine can read it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8021, help="(default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, required=True, help="where charges are kept; made if it is missing")
    parser.add_argument("--webhook-url", default="", help="where results of charges that settle later are sent")
    parser.add_argument(
        "--settle-after", type=float, default=1.0, metavar="SECONDS", help="how long settling takes (default: 1)"
    )
    parser.add_argument("--seed", type=int, default=None, help="of what the faults choose at random")
    rules = parser.add_argument_group("rules", "what becomes of a charge, by its customer; see docs/payments.md")
    for name, what in (
        ("declined", "are declined"),
        ("later", "are charged later"),
        ("declined-later", "are declined later"),
    ):
        rules.add_argument(
            f"--{name}", type=int, default=0, metavar="N", help=f"how many of 100 customers {what} (default: 0)"
        )
    return parser


async def _serve(arguments: argparse.Namespace, rules: Rules, key: str, secret: str) -> int:
    ledger = Ledger(arguments.data_dir)
    choose = random.Random(arguments.seed)  # noqa: S311 - it chooses faults
    webhooks = Webhooks(ledger, arguments.webhook_url, secret, choose)
    provider = Provider(ledger, webhooks, key, rules, arguments.settle_after, choose)
    app = web.Application(middlewares=[provider.misbehaving, refusing], client_max_size=MAX_BODY_BYTES)
    app.add_routes(provider.routes())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, arguments.host, arguments.port).start()
        except OSError as error:
            sys.stderr.write(f"payment provider: port {arguments.port} can't be taken ({error.strerror})\n")
            return 1
        tasks = [asyncio.create_task(webhooks.run(session)), asyncio.create_task(_settle(ledger, webhooks))]
        sys.stdout.write(f"payment provider ready on {arguments.host}:{arguments.port}\n")
        sys.stdout.flush()
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopped):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
    ledger.close()
    failures = [one for one in ended if isinstance(one, Exception)]
    for failure in failures:
        logging.getLogger(__name__).error("a part of it failed", exc_info=failure)
    return 1 if failures else 0


async def _settle(ledger: Ledger, webhooks: Webhooks) -> None:
    """Lets charges and refunds settle when they are due, also those that fell due while nobody ran."""
    while True:
        if ledger.settle(time.time()):
            webhooks.wake()
        await asyncio.sleep(0.05)

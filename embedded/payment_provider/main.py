"""The provider as a process."""

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import Sequence

from embedded.payment_provider.api import MAX_BODY_BYTES, Provider
from embedded.payment_provider.faults import PaymentFaults
from embedded.payment_provider.ledger import Ledger
from embedded.payment_provider.rules import Rules
from embedded.sandbox.http import Misbehaviour
from embedded.sandbox.secrets import from_environment
from embedded.sandbox.serving import Sandbox, sandbox_parser, serve
from embedded.sandbox.webhooks import Webhooks

NAME = "payment provider"


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        rules = Rules(arguments.declined, arguments.later, arguments.declined_later)
        key, secret = from_environment(os.environ)
    except ValueError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 2
    return asyncio.run(_serve(arguments, rules, key, secret))


def _parser() -> argparse.ArgumentParser:
    parser = sandbox_parser(
        "payment-provider", "A sandbox payment provider over HTTP, for this machine alone.", 8021, "charges"
    )
    parser.add_argument(
        "--settle-after", type=float, default=1.0, metavar="SECONDS", help="how long settling takes (default: 1)"
    )
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
    webhooks = Webhooks(ledger, arguments.webhook_url, secret, choose, PaymentFaults())
    provider = Provider(ledger, webhooks, rules, arguments.settle_after)
    sandbox = Sandbox(
        name=NAME,
        memory=ledger,
        webhooks=webhooks,
        misbehaviour=Misbehaviour(webhooks, key, choose),
        routes=provider.routes(),
        step=ledger.settle,
        max_body=MAX_BODY_BYTES,
    )
    return await serve(sandbox, arguments.host, arguments.port, time.time)

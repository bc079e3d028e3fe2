"""The provider as a process."""

import argparse
import asyncio
import logging
import os
import random
import sys
import time
from collections.abc import Sequence

from embedded.sandbox.http import Misbehaviour
from embedded.sandbox.secrets import from_environment
from embedded.sandbox.serving import Sandbox, sandbox_parser, serve
from embedded.sandbox.webhooks import Webhooks
from embedded.signature_provider.faults import SignatureFaults

NAME = "signature provider"


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    parser = sandbox_parser(
        "signature-provider",
        "A sandbox signing provider over HTTP, for this machine alone. DIR/ca.pem is the authority of its signatures.",
        8023,
        "requests, signed documents and its authority",
    )
    arguments = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("pyhanko").setLevel(logging.ERROR)
    try:
        key, secret = from_environment(os.environ)
    except ValueError as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 2
    try:
        import pyhanko  # noqa: F401 - it is to be there before anybody asks for a signature
    except ImportError:
        sys.stderr.write(f"{NAME}: pyHanko is not installed here: pip install 'eventfold[documents]'\n")
        return 2
    return asyncio.run(_serve(arguments, key, secret))


async def _serve(arguments: argparse.Namespace, key: str, secret: str) -> int:
    from embedded.signature_provider.api import MAX_BODY_BYTES, Provider
    from embedded.signature_provider.authority import Authority
    from embedded.signature_provider.register import Register

    register = Register(arguments.data_dir)
    choose = random.Random(arguments.seed)  # noqa: S311 - it chooses faults
    webhooks = Webhooks(register, arguments.webhook_url, secret, choose, SignatureFaults())
    provider = Provider(register, webhooks, Authority(arguments.data_dir))
    sandbox = Sandbox(
        name=NAME,
        memory=register,
        webhooks=webhooks,
        misbehaviour=Misbehaviour(webhooks, key, choose),
        routes=provider.routes(),
        step=register.expire_due,
        max_body=MAX_BODY_BYTES,
    )
    return await serve(sandbox, arguments.host, arguments.port, time.time)

"""A provider as a process: its options, and serving until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
from aiohttp import web
from msgspec import Struct

from embedded.sandbox.http import SESSION, Misbehaviour, refusing
from embedded.sandbox.memory import Memory
from embedded.sandbox.secrets import DEFAULT_KEY, DEFAULT_SECRET, KEY_VARIABLE, SECRET_VARIABLE
from embedded.sandbox.webhooks import Webhooks


class Sandbox(Struct, frozen=True):
    """A provider's parts. `step(now)` lets what is due happen, and says how much that was."""

    name: str
    memory: Memory
    webhooks: Webhooks
    misbehaviour: Misbehaviour
    routes: Sequence[web.RouteDef]
    step: Callable[[float], int]
    max_body: int


def sandbox_parser(name: str, description: str, port: int, kept: str) -> argparse.ArgumentParser:
    """The options that every provider has; `kept` says what its data directory holds."""
    parser = argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=f"The environment may set {KEY_VARIABLE}, the API key that merchants send (default: {DEFAULT_KEY}), and "
        f"{SECRET_VARIABLE}, which signs the webhooks (default: {DEFAULT_SECRET}); or, with _FILE at the end of the "
        "name, a file that holds it. A command line is no place for them: everybody on the machine can read it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=port, help="(default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, required=True, help=f"where {kept} are kept; made if it is missing")
    parser.add_argument("--webhook-url", default="", help="where it tells what has come of them")
    parser.add_argument("--seed", type=int, default=None, help="of what the faults choose at random")
    return parser


async def serve(sandbox: Sandbox, host: str, port: int, clock: Callable[[], float]) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    app = web.Application(middlewares=[sandbox.misbehaviour.misbehaving, refusing], client_max_size=sandbox.max_body)
    app.add_routes([*sandbox.routes, *sandbox.misbehaviour.routes()])
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            sys.stderr.write(f"{sandbox.name}: port {port} can't be taken ({error.strerror})\n")
            return 1
        tasks = [asyncio.create_task(sandbox.webhooks.run(session)), asyncio.create_task(_steps(sandbox, clock))]
        sys.stdout.write(f"{sandbox.name} ready on {host}:{port}\n")
        sys.stdout.flush()
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopped):
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()
    sandbox.memory.close()
    failures = [one for one in ended if isinstance(one, Exception)]
    for failure in failures:
        logging.getLogger(__name__).error("a part of it failed", exc_info=failure)
    return 1 if failures else 0


async def _steps(sandbox: Sandbox, clock: Callable[[], float]) -> None:
    """Lets happen what is due, also what fell due while nobody ran."""
    while True:
        if sandbox.step(clock()):
            sandbox.webhooks.wake()
        await asyncio.sleep(0.05)

"""Runs a mail sink: `python -m embedded.mail_sink --port HTTP --smtp-port SMTP --data-dir DIRECTORY`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from embedded.mail_sink.http import application
from embedded.mail_sink.mails import Mails
from embedded.mail_sink.smtp import SinkHandler, listen_smtp

HOST = "127.0.0.1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code (1: a port is taken)."""
    parser = argparse.ArgumentParser(prog="mail_sink", description="keeps mails instead of delivering them")
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s, this machine alone)")
    parser.add_argument("--port", type=int, default=8026, help="port of its HTTP pages")
    parser.add_argument("--smtp-port", type=int, default=8025, help="port at which it takes mails")
    parser.add_argument("--data-dir", type=Path, help="where mails survive its end; without it they do not")
    given = parser.parse_args(arguments)
    try:
        asyncio.run(_serve(given.host, given.port, given.smtp_port, given.data_dir))
    except OSError as error:
        print(f"the mail sink can't listen: {error}", file=sys.stderr)  # noqa: T201 - the operator's terminal
        return 1
    return 0


async def _serve(host: str, port: int, smtp_port: int, directory: Path | None) -> None:
    mails = Mails(None if directory is None else directory / "mails.jsonl")
    handler = SinkHandler(mails)
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    runner = web.AppRunner(application(mails, handler), access_log=None)
    await runner.setup()
    smtp = await listen_smtp(handler, host, smtp_port)
    try:
        await web.TCPSite(runner, host, port).start()
        await stopped.wait()
    finally:
        smtp.close()
        await runner.cleanup()
        mails.close()

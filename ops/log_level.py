"""`eventfold log-level`: shows and changes the level of the services' logs while they run."""

import argparse
from typing import TYPE_CHECKING, Any

from ops.errors import CommandFailed
from ops.locations import Address, service_urls
from ops.options import add_data_dir, settings

if TYPE_CHECKING:
    from ops.projector_client import ProjectorClient

LEVELS = ("debug", "info", "warning", "error")

DESCRIPTION = """\
Show the level of each service's log, or change it: of one service, or of all that answer. With --for the level that the
settings name comes back after so many seconds; otherwise the new one stays until the process ends. Of a service that
runs more than once the process that answers is asked.
"""


def add_parser(commands: Any) -> None:
    """Add `log-level`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "log-level", help="show or change how much the services log, while they run", description=DESCRIPTION
    )
    parser.add_argument("words", nargs="*", metavar="[SERVICE] [LEVEL]", help=f"a level is {', '.join(LEVELS)}")
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="SECONDS", help="how long (default: until the process ends)"
    )
    add_data_dir(parser, "the data directory of the running `eventfold up`")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show or change the level; 1 when a service gives no answer."""
    import asyncio

    from ops.credentials import credentials  # with the cryptography that `--help` does not need

    configured = settings()
    urls = service_urls(args.data_dir, configured)
    service, level = chosen(args.words, list(urls))
    if args.seconds is not None and level is None:
        raise CommandFailed("--for needs a level", "such as: eventfold log-level debug --for 600")
    names = urls if service is None else [service]
    asked = {name: Address(urls[name], credentials(args.data_dir, configured, urls[name])) for name in names}
    return asyncio.run(_ask(asked, level, args.seconds))


def chosen(words: list[str], services: list[str]) -> tuple[str | None, str | None]:
    """The service and the level that the words name; None: every service, or the level is only shown.

    Raises:
        CommandFailed: a word is neither, or there are too many.
    """
    service = words.pop(0) if words and words[0] not in LEVELS else None
    level = words.pop(0) if words else None
    if service is not None and service not in services:
        raise CommandFailed(f"{service} is neither a level nor a service", f"there are {', '.join(services)}")
    if level is not None and level not in LEVELS:
        raise CommandFailed(f"{level} is no level", f"there are {', '.join(LEVELS)}")
    if words:
        raise CommandFailed(f"{' '.join(words)} is too much", "say: eventfold log-level [SERVICE] [LEVEL]")
    return service, level


async def _ask(addresses: dict[str, Address], level: str | None, seconds: float | None) -> int:
    import aiohttp

    from infrastructure.http.client import ServiceClient
    from ops.output import errors, output, plain_table, print_error
    from ops.projector_client import ProjectorClient

    console, table, failed = output(), plain_table("service", "level", "configured", "until"), []
    async with aiohttp.ClientSession() as session:
        for name, address in addresses.items():
            client = ServiceClient(address.url, session, retry_timeout=2.0, attempt_timeout=5.0, tokens=address.tokens)
            try:
                told = await _level(ProjectorClient(client, name, "`eventfold status` shows what runs"), level, seconds)
            except CommandFailed as error:
                failed.append(str(error))
            else:
                table.add_row(name, told["level"], told["configured"], told["until"] or "")
    if table.row_count:
        console.print(table)
    for one in failed:
        print_error(errors(), one)
    return 1 if failed else 0


async def _level(service: "ProjectorClient", level: str | None, seconds: float | None) -> dict[str, Any]:
    if level is not None:
        body = {"level": level} | ({} if seconds is None else {"seconds": seconds})
        await service.send("PUT", "/log-level", json=body)
    told, _ = await service.get("/log-level", dict[str, Any])
    return told


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 seconds")
    return value

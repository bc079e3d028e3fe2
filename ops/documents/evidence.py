"""`eventfold documents evidence`: the evidence of an order, from the query API into a file."""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ops.errors import CommandFailed
from ops.locations import query_api_address

if TYPE_CHECKING:
    from infrastructure.http.client import ServiceResponse
    from ops.locations import Address

_ATTEMPT_TIMEOUT, _RETRY_TIMEOUT = 60.0, 120.0


def fetch_evidence(args: argparse.Namespace) -> int:
    """Write the ZIP file; 0 when it is there, all of it."""
    from ops.output import output

    answer = asyncio.run(_asked(query_api_address(args), args.order))
    if answer.status != 200:
        raise CommandFailed(f"there is no evidence of order {args.order}: {answer.status} {_detail(answer)}")
    file = args.out or Path(f"evidence-{args.order.replace(':', '-')}.zip")
    try:
        _written(file, answer.body)
    except OSError as error:
        raise CommandFailed(f"{file} can't be written: {error}") from error
    output().print(
        f"{file}: {len(answer.body)} bytes; `eventfold audit check {file} --key KEY` checks it", markup=False
    )
    return 0


async def _asked(address: "Address", order: str) -> "ServiceResponse":
    import aiohttp

    from infrastructure.http.client import NoResponse, ServiceClient

    async with aiohttp.ClientSession() as session:
        client = ServiceClient(address.url, session, _RETRY_TIMEOUT, _ATTEMPT_TIMEOUT, address.tokens)
        try:
            return await client.get(f"/orders/{quote(order, safe='')}/evidence")
        except NoResponse as error:
            raise CommandFailed(
                f"the query API can't be reached: {error}", "eventfold up, or --query-api URL"
            ) from error


def _detail(answer: "ServiceResponse") -> str:
    import msgspec

    try:
        return str(answer.json().get("detail", ""))
    except (msgspec.DecodeError, AttributeError):
        return answer.body[:200].decode(errors="replace")


def _written(file: Path, content: bytes) -> None:
    """All of it, or what was there before."""
    handle, unfinished = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        Path(unfinished).replace(file)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise

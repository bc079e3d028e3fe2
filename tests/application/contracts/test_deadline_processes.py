"""A contract's time runs out over real processes, killed, late, several at a time: it expires once, by mail too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import utc_now
from tests.end_to_end.conftest import System, running_system
from tests.support.contracts import DIGEST
from tests.support.mail_sink import mail_sink
from tests.support.services import Service, node_uri, service, until

pytestmark = pytest.mark.timeout(400)


async def put_up(system: System, order_id: str, expires_at: datetime) -> None:
    now = utc_now().isoformat()
    item = {"sku": "tea", "quantity": 1, "unit_price": 5, "discount": 0, "total": 5}
    request = {"customer_id": "ada", "customer_name": "Ada", "currency": "USD", "lines": [item], "total": 5}
    made = {"document_sha256": DIGEST, "size": 9, "template": "t", "template_version": 1, "renderer": "r"}
    for action, body in (
        ("request", {**request, "ordered_at": now, "confirmed_at": now}),
        ("record-rendering", made),
        ("request-signature", {"document_sha256": DIGEST, "expires_at": expires_at.isoformat()}),
    ):
        status, answer = await system.command("POST", f"/contracts/{order_id}/{action}", body)
        assert status == 200, answer


async def types(system: System, order_id: str) -> list[str]:
    history = await system.seen(f"/contracts/{order_id}/history")
    return [one["type"] for one in history["items"]]


@asynccontextmanager
async def two_consumers(system: System, folder: Path, mail_url: str) -> AsyncIterator[list[Service]]:
    """Processes that share the consumers, to be started."""
    settings = {
        "eventstore_uri": node_uri(system.node_port),
        "mongo_uri": system.read_store.uri,
        "commands_url": system.commands.url,
        "mail_url": mail_url,
        "document_remind_days": "0",
        "consumer_lease": "1",
    }
    processes = [service("consumers", folder, **settings) for _ in range(2)]
    try:
        yield processes
    finally:
        for one in processes:
            if one.was_started:
                await one.kill()


async def test_a_contract_expires_once_whoever_ran_when(tmp_path: Path) -> None:
    async with (
        mail_sink(tmp_path) as mail,
        running_system(tmp_path) as system,
        two_consumers(system, tmp_path, mail.url) as (first, second),
    ):
        await first.start()
        await until(first.answers, "the consumers run", 120)
        soon = utc_now() + timedelta(seconds=3)
        await put_up(system, "o-1", soon)
        async with system.http.post(f"{first.url}/drain?consumer=contract_deadlines") as drained:
            assert drained.status == 200
        await first.kill()
        await put_up(system, "o-2", soon)  # nobody who could expire it has ever seen it

        async def is_over() -> bool:
            return utc_now() > soon

        await until(is_over, "the time to sign is over", 30)
        late = {"document_sha256": DIGEST, "name": "Ada", "consent": True}
        status, refused = await system.command("POST", "/contracts/o-2/sign", late)
        assert (status, refused["code"]) == (409, "time-to-sign-over")

        await asyncio.gather(first.start(), second.start())

        async def listed() -> bool:
            found: Any = await system.seen("/contracts?status=expired")
            return {one["order_id"] for one in found["items"]} == {"o-1", "o-2"}

        await until(listed, "both have expired", 120)
        await first.kill()
        await first.start()

        wanted = {f"The contract of your order {order_id} was not signed in time" for order_id in ("o-1", "o-2")}

        async def told() -> bool:
            return wanted <= {one["subject"] for one in await mail.mails("ada@")}

        await until(told, "the customer was told", 120)
        for order_id in ("o-1", "o-2"):
            assert (await types(system, order_id)).count("ContractExpired") == 1
        status, refused = await system.command("POST", "/contracts/o-2/sign", late)
        assert (status, refused["code"]) == (409, "contract-is-expired")

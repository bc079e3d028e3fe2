"""A shop as processes, with tokens: its contracts come by mail, and are signed on the signing page."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from embedded.supervisor.service import Timings
from embedded.supervisor.supervisor import Supervisor
from infrastructure.clock import utc_now
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.security.signing_key import read_signing_key
from infrastructure.settings import Settings
from ops.stack.specs import Ports, stages
from tests.support.http_session import http_session
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.ports import free_port
from tests.support.services import until

NEEDED = {"node", "read-store", "mail-sink", "command-api", "projector", "query-api", "consumers", "signing-page"}


class Shop:
    """Where its services are, and what its people do."""

    def __init__(self, folder: Path, ports: Ports, http: aiohttp.ClientSession, receiver: OtlpReceiver) -> None:
        self.folder = folder
        self.ports = ports
        self.receiver = receiver
        self.page = f"http://127.0.0.1:{ports.signing_page}/sign"
        self._http = http
        key = read_signing_key(DevelopmentKeys(folder).signing_key, "the key", Settings().authentication)
        self._token = key.token("grace", roles=["staff"], ttl=3600, now=time.time())

    async def ask(self, method: str, port: int, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """A request of the staff."""
        headers = {"Authorization": f"Bearer {token or self._token}"}
        url = f"http://127.0.0.1:{port}{path}"
        async with self._http.request(method, url, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def draw_up(self, order_id: str, name: str = "Ada Lovelace") -> str:
        """Has a contract drawn up; the link in the mail that asks for its signature."""
        now = utc_now().isoformat()
        item = {"sku": "tea", "quantity": 1, "unit_price": 500, "discount": 0, "total": 500}
        body = {"customer_id": f"ada-{order_id}", "customer_name": name, "currency": "EUR", "lines": [item]}
        body |= {"total": 500, "ordered_at": now, "confirmed_at": now}
        status, answer = await self.ask("POST", self.ports.command_api, f"/contracts/{order_id}/request", body)
        assert status == 200, answer
        mail = await self.mail(order_id, "ready to be signed")
        (link,) = [line for line in mail["text"].splitlines() if line.startswith("http")]
        assert link.startswith(f"{self.page}?token=")
        assert f'<a href="{link}">{link}</a>' in mail["html"]
        return str(link)

    async def mail(self, order_id: str, subject: str) -> dict[str, Any]:
        """The one mail to the order's customer with that in its subject, once it is there."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            url = f"http://127.0.0.1:{self.ports.mail_sink}/mails"
            async with self._http.get(url, params={"recipient": f"ada-{order_id}@"}) as response:
                mails = (await response.json())["mails"]
            found[:] = [one for one in mails if subject in one["subject"]]
            return bool(found)

        await until(there, f"the mail {subject!r} of {order_id}", 120)
        assert len(found) == 1
        return found[0]

    async def is_at(self, order_id: str, status: str) -> dict[str, Any]:
        """The contract, once it has that status."""
        seen: dict[str, Any] = {}

        async def there() -> bool:
            code, found = await self.ask("GET", self.ports.query_api, f"/contracts/{order_id}")
            seen.update(found if code == 200 else {})
            return seen.get("status") == status

        await until(there, f"the contract of {order_id} is {status}", 120)
        return seen

    async def history(self, order_id: str) -> list[dict[str, Any]]:
        """The contract's events."""
        status, found = await self.ask("GET", self.ports.query_api, f"/contracts/{order_id}/history")
        assert status == 200, found
        return [{"type": one["type"], **one["data"]} for one in found["items"]]

    async def get(self, url: str) -> tuple[int, str, bytes]:
        """What anybody gets at an address: status, media type and body."""
        async with self._http.get(url) as response:
            return response.status, response.content_type, await response.read()

    def logs(self) -> str:
        """What all services have written."""
        return "\n".join(file.read_text(errors="replace") for file in sorted((self.folder / "logs").glob("*.log")))

    async def metrics(self) -> str:
        """Of every service."""
        services = ("command_api", "query_api", "projector", "consumers", "signing_page")
        urls = [f"http://127.0.0.1:{getattr(self.ports, name)}/metrics" for name in services]
        return "\n".join(part.decode() for _, _, part in await asyncio.gather(*(self.get(url) for url in urls)))


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """The services of `eventfold up` that contracts need."""
    async with AsyncExitStack() as stack:
        ports = Ports(*(free_port() for _ in Ports.__dataclass_fields__))
        receiver = await stack.enter_async_context(otlp_receiver())
        own = {name: value for name, value in os.environ.items() if not name.startswith("EVENTFOLD_")}
        environ = {**own, **receiver.environ, "EVENTFOLD_LOG_LEVEL": "debug"}
        specs = [[one for one in stage if one.name in NEEDED] for stage in stages(folder, "127.0.0.1", ports, environ)]
        timings = Timings(start_timeout=240.0, stop_grace=2.0)
        await stack.enter_async_context(Supervisor(folder, specs, timings=timings).running())
        http = await stack.enter_async_context(http_session())
        yield Shop(folder, ports, http, receiver)

"""The mail sink as a process, and what can be asked of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.http_session import http_session
from tests.support.places import HERE, Place
from tests.support.ports import free_port
from tests.support.services import Service, until


class MailSink:
    """A sink that runs; `url` is where mail is handed in."""

    def __init__(self, service: Service, smtp_port: int, http: aiohttp.ClientSession) -> None:
        self.service = service
        self.smtp_port = smtp_port
        self.url = f"smtp://{service.host}:{smtp_port}"
        self._http = http

    async def mails(self, recipient: str = "") -> list[dict[str, Any]]:
        """What it has taken, in that order."""
        async with self._http.get(f"{self.service.url}/mails", params={"recipient": recipient}) as answer:
            assert answer.status == 200
            mails: list[dict[str, Any]] = (await answer.json())["mails"]
            return mails

    async def goes_wrong(self, fault: str = "none", recipient: str = "", latency: float = 0.0) -> None:
        """Switches a fault on, or all off."""
        body = {"fault": fault, "recipient": recipient, "latency": latency}
        async with self._http.put(f"{self.service.url}/faults", json=body) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def mail_sink(directory: Path, place: Place = HERE) -> AsyncIterator[MailSink]:
    """A sink of its own for the block, which keeps its mails in `directory`."""
    port, smtp_port = free_port(), free_port()
    arguments = ["embedded.mail_sink", "--port", str(port), "--smtp-port", str(smtp_port), "--data-dir", str(directory)]
    if place is not HERE:
        arguments += ["--host", place.host]
    service = Service("mail sink", port, arguments, {}, directory / "mail-sink.log", place=place)
    await service.start()
    try:
        async with http_session() as http:
            await until(service.answers, "the mail sink answers", 60)
            yield MailSink(service, smtp_port, http)
    finally:
        await service.kill()

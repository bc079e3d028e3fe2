"""Who takes the demo's integration events: a webhook, a reader of server-sent events, a broker where one is given."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from examples.subscriber.stream import StreamReader
from examples.subscriber.webhook import WebhookSubscriber
from infrastructure.http.client import ServiceClient
from infrastructure.integration.cloud_event import CloudEvent
from ops.demo.broker import BrokerReader, broker_reader
from ops.demo.published import Comparison, compare

_SEEN_TO = 60.0
_ONE_DRAIN = 5


class Subscribers:
    """`folder` is where the file with the destinations goes; `broker` is a URL, or nothing."""

    def __init__(self, folder: Path, broker: str | None) -> None:
        self.destinations = folder / "destinations.json"
        self._folder = folder
        self._secret = secrets.token_urlsafe(32)
        self._webhook = WebhookSubscriber(self._secret.encode())
        self._stream: StreamReader | None = None
        self._broker_url = broker
        self._broker: BrokerReader | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Subscribers"]:
        """The webhook listens for the block, and the file names it. Raises CommandFailed where the broker is not there,
        or its kind is not known."""
        async with self._webhook.listening():
            secret = self._folder / "webhook.secret"
            secret.touch(mode=0o600)
            secret.write_text(self._secret)
            webhook = {"name": "webhook", "kind": "webhook", "url": self._webhook.url, "concurrency": 64}
            given: list[dict[str, Any]] = [webhook | {"secret_file": secret.name}]
            if self._broker_url is not None:
                self._broker = await asyncio.to_thread(broker_reader, self._broker_url)
                given.append(self._broker_destination(self._broker))
            self.destinations.write_bytes(msgspec.json.encode({"destinations": given}))
            try:
                yield self
            finally:
                if self._broker is not None:
                    await asyncio.to_thread(self._broker.close)

    def _broker_destination(self, broker: BrokerReader) -> dict[str, Any]:
        found = {"name": "broker", "kind": broker.kind, "concurrency": 64, **broker.destination}
        if broker.password:
            secret = self._folder / "broker.secret"
            secret.touch(mode=0o600)
            secret.write_text(broker.password)
            found["secret_file"] = secret.name
        return found

    @asynccontextmanager
    async def reading(self, relay: ServiceClient) -> AsyncIterator[None]:
        """Reads server-sent events for the block."""
        self._stream = StreamReader(f"{relay.base_url}/events", relay.session, relay.tokens)
        task = asyncio.create_task(self._stream.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def compared(self, relay: ServiceClient, expected: Sequence[CloudEvent]) -> list[Comparison]:
        """What each has, once the relay has handed over all that the log holds.

        Raises:
            NoResponse: the relay gives no final answer in time.
        """
        stream = self._stream
        assert stream is not None
        wanted = {one.id for one in expected}
        with contextlib.suppress(TimeoutError):  # what is missing is told below
            async with asyncio.timeout(_SEEN_TO):
                await _drain(relay)
                await stream.has_taken(wanted)
        found = [
            compare("webhook", expected, self._webhook.taken),
            compare(f"server-sent events ({stream.connections} connections)", expected, stream.taken),
        ]
        if self._broker is not None:
            ours = [one for one in await asyncio.to_thread(self._broker.read) if one.id in wanted]
            found.append(compare(f"{self._broker.kind} {self._broker.place}", expected, ours))
        return found


async def _drain(relay: ServiceClient) -> None:
    """Returns when all destinations have what the log holds."""
    while True:
        answer = await relay.request("POST", f"/drain?timeout={_ONE_DRAIN}")
        if answer.status == 200:
            return

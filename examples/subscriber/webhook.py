"""A subscriber that gets webhooks: it checks the signature, and keeps what has come."""

import hmac
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from infrastructure.integration.cloud_event import CloudEvent, InvalidCloudEvent, from_structured
from infrastructure.outside.webhooks import signed

PATH = "/events"
_TOLERANCE = 300
"""Seconds by which the two clocks may differ; what is older may be somebody's repetition of what he overheard."""


class WebhookSubscriber:
    """`secret` is what both sides know. `taken` is all that came, in its order and with its repetitions, `traces` the
    header `traceparent` of each."""

    def __init__(self, secret: bytes) -> None:
        self.taken: list[CloudEvent] = []
        self.traces: list[str] = []
        self.url = ""
        self._secret = secret

    @asynccontextmanager
    async def listening(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator["WebhookSubscriber"]:
        """Takes events at `url` for the block. Raises OSError where the port is taken."""
        app = web.Application()
        app.router.add_post(PATH, self._take)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            self.url = f"http://{host}:{runner.addresses[0][1]}{PATH}"
            yield self
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self._is_signed(request.headers, body):
            return web.Response(status=401)
        try:
            self.taken.append(from_structured(body))
        except InvalidCloudEvent as error:
            return web.Response(status=422, text=str(error))
        self.traces.append(request.headers.get("traceparent", ""))
        return web.Response(status=204)

    def _is_signed(self, headers: Mapping[str, str], body: bytes) -> bool:
        event_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not (at.isascii() and at.isdigit() and len(at) < 12 and abs(time.time() - int(at)) < _TOLERANCE):
            return False
        expected = signed(self._secret, event_id, int(at), body)["webhook-signature"]
        # While a secret is changed, there are several signatures with spaces between.
        given = headers.get("webhook-signature", "").encode().split()
        return any(hmac.compare_digest(one, expected.encode()) for one in given)

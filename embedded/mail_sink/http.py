"""The HTTP side of a sink: what has come, and which fault is on."""

import msgspec
from aiohttp import web

from embedded.mail_sink.faults import Faults
from embedded.mail_sink.mails import Mails
from embedded.mail_sink.smtp import SinkHandler


def application(mails: Mails, handler: SinkHandler) -> web.Application:
    """`GET /mails`, `GET` and `PUT /faults`, `GET /health/live` and `/health/ready`."""

    async def live(_request: web.Request) -> web.Response:
        return _json({"status": "alive"})

    async def listed(request: web.Request) -> web.Response:
        recipient = request.query.get("recipient", "")
        found = [one for one in mails.all() if any(recipient in address for address in one.recipients)]
        return _json({"mails": found})

    async def faults(_request: web.Request) -> web.Response:
        return _json(handler.faults)

    async def set_faults(request: web.Request) -> web.Response:
        try:
            handler.faults = msgspec.json.decode(await request.read(), type=Faults)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _json({"status": 400, "title": "These are no faults", "detail": str(error)}, 400)
        return _json(handler.faults)

    app = web.Application(client_max_size=65_536)
    app.add_routes(
        [
            web.get("/health/live", live),
            web.get("/health/ready", live),
            web.get("/mails", listed),
            web.get("/faults", faults),
            web.put("/faults", set_faults),
        ]
    )
    return app


def _json(body: object, status: int = 200) -> web.Response:
    kind = "application/json" if status < 400 else "application/problem+json"
    return web.Response(body=msgspec.json.encode(body), status=status, content_type=kind)

"""An authority for times of one's own, for development: RFC 3161 over HTTP, which nobody else trusts."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from asn1crypto import tsp

_REQUEST, _REPLY = "application/timestamp-query", "application/timestamp-reply"


def time_authority(key: Path, certificate: Path) -> web.Application:
    """Stamps whatever it is asked to, with the time of this machine, at `POST /`. Raises OSError and ValueError where a
    file can't be read."""
    from pyhanko.keys import load_cert_from_pemder, load_private_key_from_pemder
    from pyhanko.sign.timestamps import DummyTimeStamper

    stamps = DummyTimeStamper(load_cert_from_pemder(str(certificate)), load_private_key_from_pemder(str(key), None))

    async def stamp(request: web.Request) -> web.Response:
        if request.content_type != _REQUEST:
            raise web.HTTPUnsupportedMediaType(text=f"a request is {_REQUEST}")
        try:
            asked = tsp.TimeStampReq.load(await request.read(), strict=True)
            response = stamps.request_tsa_response(asked)
        except (ValueError, TypeError, KeyError) as error:
            raise web.HTTPBadRequest(text="that is no request for a time stamp") from error
        return web.Response(body=response.dump(), content_type=_REPLY)

    app = web.Application(client_max_size=65_536)
    app.router.add_post("/", stamp)
    return app


async def serve_times(app: web.Application, host: str, port: int, started: Callable[[str], None]) -> None:
    """Until it is cancelled; `started` gets the URL. Raises OSError."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        at = runner.addresses[0]
        started(f"http://{at[0]}:{at[1]}/")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()

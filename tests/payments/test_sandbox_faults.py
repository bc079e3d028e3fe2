"""What the sandbox does to its clients on purpose must not fail itself."""

import asyncio

import pytest
from aiohttp import web

from embedded.sandbox.http import cut_off
from tests.support.ports import free_port
from tests.support.services import until


async def test_a_client_that_is_gone_before_its_answer_is_cut_off_is_no_error(caplog: pytest.LogCaptureFixture):
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        begun.set()

        async def gone() -> bool:
            return request.transport is None

        try:
            await until(gone, "the server has noticed that the client is gone")
            return await cut_off(request, web.Response(body=b'{"id":"charge"}'))
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", handle)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await begun.wait()
        writer.close()
        await ended.wait()
    finally:
        await runner.cleanup()
    assert [record for record in caplog.records if record.exc_info] == []

"""What every transport does: over the network, and to an application in the same process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from litestar import Litestar, Request, Response, get, post
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars
from yarl import URL

from infrastructure.http.server import listen
from infrastructure.outside.http_client import HttpClient
from infrastructure.outside.in_process import InProcess
from infrastructure.outside.network import Network
from infrastructure.outside.transport import Transport, UnusableResponse
from infrastructure.resilience import DependencyUnavailable, Limits, Policy, TransientFault


@post("/echo/{name:str}", status_code=200)
async def echo(request: Request[Any, Any, Any], name: str) -> dict[str, Any]:
    """What came."""
    bind_contextvars(bound="by whoever answers")
    return {
        "name": name,
        "query": dict(request.query_params),
        "header": request.headers.get("x-given"),
        "body": (await request.body()).decode(),
    }


@get("/large")
async def large() -> Response[bytes]:
    return Response(b"x" * 1_000, media_type="text/plain")


@get("/away")
async def away() -> Response[None]:
    return Response(None, status_code=302, headers={"Location": "/large"})


@get("/broken")
async def broken() -> None:
    raise SystemError("a bug")


APP: Any = Litestar([echo, large, away, broken], openapi_config=None, debug=False, logging_config=None)


@asynccontextmanager
async def over_network() -> AsyncIterator[tuple[Transport, URL]]:
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(APP, ws="none", lifespan="off", log_config=None))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    transport = Network(Limits())
    try:
        yield transport, URL(f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        await transport.close()
        for listening in server.servers:
            listening.close()


@asynccontextmanager
async def in_process() -> AsyncIterator[tuple[Transport, URL]]:
    yield InProcess(APP), URL("http://in-process")


@pytest.fixture(params=[over_network, in_process], ids=["network", "in process"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Transport, URL]]:
    """One of them, and where it asks."""
    async with request.param() as given:
        yield given


async def test_a_request_comes_as_it_was_sent(transport: tuple[Transport, URL]) -> None:
    carries, base = transport
    clear_contextvars()
    bind_contextvars(bound="by whoever asks")
    url = URL(f"{base}/echo/%C3%A4%20b?q=%26", encoded=True)
    found = await carries.send("POST", url, '{"ü": 1}'.encode(), {"X-Given": "yes"}, max_body=1_000)
    assert found.status == 200
    assert found.headers["content-TYPE"] == "application/json"
    assert b'"name":"\xc3\xa4 b"' in found.content.replace(b": ", b":")
    assert b'"q":"&"' in found.content.replace(b": ", b":")
    assert b'"header":"yes"' in found.content.replace(b": ", b":")
    assert get_contextvars() == {"bound": "by whoever asks"}, "the two do not mix"
    clear_contextvars()


async def test_what_is_larger_is_not_taken(transport: tuple[Transport, URL]) -> None:
    carries, base = transport
    assert len((await carries.send("GET", base / "large", None, {}, max_body=1_000)).content) == 1_000
    with pytest.raises(UnusableResponse, match="GET /large: 200 with a body of over 999 bytes"):
        await carries.send("GET", base / "large", None, {}, max_body=999)


async def test_a_client_judges_the_same_whatever_carries(transport: tuple[Transport, URL]) -> None:
    carries, base = transport
    client = HttpClient(str(base), Policy("test", Limits(retries=0)), transport=carries)
    assert (await client.request("POST", "/echo/x", json={"a": 1})).body["body"] == '{"a":1}'
    assert (await client.request("GET", "/nothing")).status == 404
    with pytest.raises(UnusableResponse, match="a redirect to '/large', which is not followed"):
        await client.request("GET", "/away")
    with pytest.raises(DependencyUnavailable, match="500"):
        await client.request("GET", "/broken")


async def test_who_gives_up_leaves_the_request_to_its_end() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        begun.set()
        assert (await receive())["type"] == "http.disconnect"
        await may_end.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        ended.set()

    carries = InProcess(app)
    asking = asyncio.create_task(carries.send("POST", URL("http://in-process/x"), b"", {}, max_body=10))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    may_end.set()
    await carries.close()
    assert ended.is_set()


@pytest.mark.parametrize("fails", [True, False], ids=["an error", "no response"])
async def test_an_application_that_gives_no_response_is_a_fault(fails: bool) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        if fails:
            raise RuntimeError("secret")

    with pytest.raises(TransientFault) as raised:
        await InProcess(app).send("GET", URL("http://in-process/x"), None, {}, max_body=10)
    assert "secret" not in str(raised.value)

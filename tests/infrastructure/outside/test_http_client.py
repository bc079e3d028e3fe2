"""The client of JSON APIs against servers that answer with anything, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from infrastructure.outside.http_client import HttpClient, UnusableResponse
from infrastructure.resilience import Delays, DependencyUnavailable, Limits, Policy
from infrastructure.telemetry.spans import begin_span
from tests.support.ports import free_port
from tests.support.raw_tcp import RawServer, answering, raw_server, response
from tests.support.tracing import recorded_spans

OK = response("200 OK", b'{"paid": true}')


@asynccontextmanager
async def client(
    *responses: bytes, max_body: int = 1_000, **limits: Any
) -> AsyncIterator[tuple[HttpClient, RawServer]]:
    """A client, and the server that it asks, which answers with these bytes."""
    async with raw_server(answering(*responses)) as server, client_of(server.port, max_body, **limits) as http:
        yield http, server


@asynccontextmanager
async def client_of(port: int, max_body: int = 1_000, **limits: Any) -> AsyncIterator[HttpClient]:
    given = {"timeout": 30.0, "retries": 1, **limits}
    policy = Policy("test", Limits(**given), delays=Delays(first=0.0, cap=0.0))
    http = HttpClient(f"http://127.0.0.1:{port}", policy, max_body=max_body)
    try:
        yield http
    finally:
        await http.close()


async def test_an_answer_is_decoded() -> None:
    async with client(OK) as (http, _):
        answer = await http.request("POST", "/charges", json={"amount": 1}, params={"a b": "ö"})
        assert (answer.status, answer.body) == (200, {"paid": True})


@pytest.mark.parametrize("status", ["400 Bad Request", "402 Payment Required", "404 Not Found", "409 Conflict"])
async def test_a_refusal_is_an_answer_with_or_without_json(status: str) -> None:
    for body, decoded in ((b'{"code": "no"}', {"code": "no"}), (b"<html>", None), (b"", None)):
        async with client(response(status, body)) as (http, server):
            answer = await http.request("POST", "/charges", json={})
            assert (answer.status, answer.body) == (int(status[:3]), decoded)
            assert server.connections == 1


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed_and_not_repeated(status: str) -> None:
    async with raw_server(answering(OK)) as elsewhere:
        away = response(status, b"", f"Location: http://127.0.0.1:{elsewhere.port}/charges")
        async with client(away) as (http, server):
            with pytest.raises(UnusableResponse, match=f"POST /charges: {status[:3]}, a redirect to 'http://127"):
                await http.request("POST", "/charges", json={}, idempotent=True)
            assert (server.connections, elsewhere.connections) == (1, 0)
            assert http.policy.breaker.state == "closed"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (response("200 OK", b"<html>we are down</html>", kind="text/html"), "200 with text/html that is no JSON"),
        (response("200 OK", b'{"paid": tr'), "that is no JSON"),
        (response("200 OK", b"\xff\xfe"), "that is no JSON"),
        (response("200 OK", b"[" * 900), "that is no JSON"),
        (OK[:-5], "was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "was cut off"),
        (b"HTTP/1.1 200", "the connection ended before there was a response"),
        (b"", "the connection ended before there was a response"),
        (b"220 mail.example ESMTP\r\n", "what came is not HTTP"),
        (response("500 Oops"), "500"),
        (response("503 Later", b"busy"), "503 busy"),
    ],
)
async def test_what_is_no_answer_is_repeated_where_that_is_safe(wrong: bytes, said: str) -> None:
    async with client(wrong, OK) as (http, server):
        assert (await http.request("POST", "/charges", json={}, idempotent=True)).body == {"paid": True}
        assert server.connections == 2
    async with client(wrong, OK) as (http, server):
        with pytest.raises(DependencyUnavailable, match=said) as failed:
            await http.request("POST", "/charges", json={})
        assert server.connections == 1
        assert failed.value.sent
    async with client(wrong) as (http, server):
        with pytest.raises(DependencyUnavailable, match=said):
            await http.request("GET", "/charges")
        assert server.connections >= 2


async def test_a_body_is_read_up_to_a_bound() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while True:
            writer.write(b"1," * 50_000)
            await writer.drain()
            sent += 100_000

    async with raw_server(endless) as server, client_of(server.port, max_body=10_000) as http:
        with pytest.raises(UnusableResponse, match="a body of over 10000 bytes"):
            await http.request("GET", "/charges")
        assert server.connections == 1
        assert sent < 50_000_000


async def test_too_many_requests_is_repeated_after_what_was_asked_for_or_not_in_this_call() -> None:
    busy = response("429 Too Many Requests", b"", "Retry-After: 1")
    loop = asyncio.get_running_loop()
    async with client(busy, OK) as (http, _):
        began = loop.time()
        await http.request("GET", "/charges")
        assert loop.time() - began >= 1.0
    async with client(response("429 Too Many Requests", b"", "Retry-After: 100000"), OK) as (http, server):
        with pytest.raises(DependencyUnavailable, match="429") as failed:
            await http.request("GET", "/charges")
        assert (server.connections, failed.value.retry_after) == (1, 300.0)


async def test_nobody_there_was_certainly_not_sent() -> None:
    async with client_of(free_port()) as http:
        with pytest.raises(DependencyUnavailable) as failed:
            await http.request("POST", "/charges", json={})
        assert not failed.value.sent


async def test_a_server_that_takes_requests_and_says_nothing() -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    limits = {"timeout": 0.2, "retries": 0, "failure_threshold": 3, "concurrency": 4, "queue": 4}
    async with raw_server(silent) as server, client_of(server.port, **limits) as http:
        outcomes = await asyncio.gather(*(http.request("GET", "/charges") for _ in range(100)), return_exceptions=True)
        assert {type(one) for one in outcomes} == {DependencyUnavailable}
        full = [one for one in outcomes if "calls are under way" in str(one)]
        hung = [one for one in outcomes if "no answer within 0.2 s" in str(one)]
        assert len(full) == 92, "they were refused without waiting"
        assert len(hung) >= 4
        assert server.connections <= 8
        assert http.policy.breaker.state == "open"
        before = server.connections
        for _ in range(1000):
            with pytest.raises(DependencyUnavailable, match="not asked"):
                await http.request("GET", "/charges")
        assert server.connections == before


async def test_a_slow_dependency_keeps_no_other_from_its_work() -> None:
    """One dependency hangs with all its places and its queue taken; another, in the same process, answers everything
    meanwhile."""

    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with (
        raw_server(silent) as slow,
        raw_server(answering(OK)) as well,
        client_of(slow.port, concurrency=5, queue=20) as hanging,
        client_of(well.port) as healthy,
    ):
        calls = [asyncio.create_task(hanging.request("GET", "/")) for _ in range(500)]
        for _ in range(50):
            assert (await healthy.request("GET", "/")).body == {"paid": True}
        ended = [one for one in calls if one.done()]
        assert len(ended) == 475, "what the hanging one can't take was refused at once"
        assert slow.connections <= 5
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (hanging.policy.bulkhead.running, hanging.policy.bulkhead.waiting) == (0, 0)


async def test_each_attempt_is_a_span_that_the_service_can_continue() -> None:
    heads: list[bytes] = []
    answers = answering(response("503 Service Unavailable"), OK, heads=heads)
    with recorded_spans() as recorded:
        async with raw_server(answers) as server, client_of(server.port) as http:
            with begin_span("caller", SpanKind.INTERNAL):
                await http.request("PUT", "/charges/c-1", params={"customer": "ada"})
    failed, done, caller = recorded.spans
    assert [one.parent for one in (failed, done)] == [caller.context, caller.context]
    assert (failed.attributes or {})["error.type"] == "TransientFault"
    assert dict(done.attributes or {}) == {
        "http.request.method": "PUT",
        "http.request.resend_count": 1,
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "url.full": f"http://127.0.0.1:{server.port}/charges/c-1",
        "peer.service": "test",
    }
    for head, span in zip(heads, (failed, done), strict=True):
        assert f"{span.context.trace_id:032x}-{span.context.span_id:016x}-".encode() in head.lower()


async def test_without_a_trace_no_header_is_sent() -> None:
    heads: list[bytes] = []
    async with raw_server(answering(OK, heads=heads)) as server, client_of(server.port) as http:
        await http.request("GET", "/charges")
    assert b"traceparent" not in heads[0].lower()

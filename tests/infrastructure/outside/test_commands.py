"""Commands over HTTP: what is an answer, what is repeated, and what stays unknown."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infrastructure.outside.commands import CommandClient
from infrastructure.outside.http_client import HttpClient, UnusableResponse
from infrastructure.resilience import Delays, DependencyUnavailable, Limits, Policy
from infrastructure.security.own_tokens import GivenToken, TokenSource
from tests.support.raw_tcp import answering, raw_server, response
from tests.support.services import TINY, node_uri, running, start_node
from tests.support.tiny import lamp  # noqa: F401 - its commands are sent by name

DONE = response("200 OK", b'{"order_id": "o-1", "version": 3, "position": 77}')
PROBLEM = "application/problem+json"


def commands(url: str, retries: int = 3, tokens: TokenSource | None = None) -> CommandClient:
    policy = Policy("commands", Limits(timeout=30.0, retries=retries), delays=Delays(first=0.0, cap=0.0))
    return CommandClient(HttpClient(url, policy), "tester", tokens)


@asynccontextmanager
async def answered(*responses: bytes, retries: int = 3) -> AsyncIterator[CommandClient]:
    async with raw_server(answering(*responses)) as server:
        client = commands(f"http://127.0.0.1:{server.port}", retries)
        try:
            yield client
        finally:
            await client.close()


def problem(status: str, kind: str, detail: str, code: str = "") -> bytes:
    with_code = f', "code": "{code}"' if code else ""
    body = f'{{"type": "urn:eventfold:problem:{kind}", "status": {status[:3]}, "detail": "{detail}"{with_code}}}'
    return response(status, body.encode(), kind=PROBLEM)


@pytest.mark.parametrize(
    ("refusal", "code", "detail"),
    [
        (problem("409 Conflict", "rule-violation", "no stock", "stock-is-short"), "stock-is-short", "no stock"),
        (problem("404 Not Found", "not-found", "there is no order"), "not-found", "there is no order"),
        (problem("422 Unprocessable", "idempotency-key-reused", "used"), "idempotency-key-reused", "used"),
        (problem("409 Conflict", "history-truncated", "cut off"), "history-truncated", "cut off"),
        (problem("410 Gone", "deleted", "gone"), "deleted", "gone"),
        (problem("412 Precondition", "stale-version", "it is at 3"), "stale-version", "it is at 3"),
        (response("402 Payment Required", b"<html>"), "status-402", "status 402"),
        (response("400 Bad Request", b"[1]"), "status-400", "status 400"),
    ],
)
async def test_a_refusal_is_an_answer(refusal: bytes, code: str, detail: str) -> None:
    async with answered(refusal, DONE) as client:
        answer = await client.send("orders", "o-1", "confirm", {}, key="k-1")
        assert (answer.accepted, answer.code, answer.detail) == (False, code, detail)
        assert answer.revision is None


@pytest.mark.parametrize(
    "moment",
    [
        problem("409 Conflict", "contended", "others"),
        problem("500 Error", "unreadable-history", "an event"),
        problem("503 Unavailable", "newer-history", "an event"),
        problem("503 Unavailable", "unavailable", "no store"),
        response("502 Bad Gateway", b"<html>"),
        problem("404 Not Found", "no-such-path", "another release"),
        response("404 Not Found", b"{}"),
        response("405 Method Not Allowed", b"{}"),
        problem("401 Unauthorized", "unauthorized", "expired"),
        problem("403 Forbidden", "forbidden", "another role"),
        b"",
        DONE[:-9],
    ],
)
async def test_what_may_pass_is_repeated_and_else_stays_unknown(moment: bytes) -> None:
    async with answered(moment, moment, DONE) as client:
        answer = await client.send("orders", "o-1", "confirm", {}, key="k-1")
        assert (answer.accepted, answer.revision, answer.position) == (True, 3, 77)
    async with answered(moment, retries=2) as client:
        with pytest.raises(DependencyUnavailable, match="commands: POST /orders/o-1/confirm"):
            await client.send("orders", "o-1", "confirm", {}, key="k-1")


@pytest.mark.parametrize("aggregate_id", ["a/b", "blue cup", "..", "", "a?b"])
async def test_what_can_be_no_aggregate_is_refused_without_asking(aggregate_id: str) -> None:
    async with answered() as client:
        answer = await client.send("stock", aggregate_id, "reserve", {}, key="k-1")
        assert (answer.accepted, answer.status, answer.code) == (False, 400, "invalid-command")


@pytest.mark.parametrize(("status", "kind"), [("500 Error", "unreadable-history"), ("503 Away", "newer-history")])
async def test_one_aggregate_that_can_not_be_served_opens_nothing_for_the_others(status: str, kind: str) -> None:
    async with answered(problem(status, kind, "an event"), retries=0) as client:
        for _ in range(20):
            with pytest.raises(DependencyUnavailable) as failed:
                await client.send("orders", "o-1", "confirm", {}, key="k-1")
            assert failed.value.alone
        assert client.policy.breaker.state == "closed"


@pytest.mark.parametrize("body", [b'{"status": "alive"}', b"[]", b"", b'{"version": "3", "position": 77}'])
async def test_who_answers_like_no_command_api_is_none(body: bytes) -> None:
    async with answered(response("200 OK", body)) as client:
        with pytest.raises(UnusableResponse, match="is this a command API"):
            await client.send("orders", "o-1", "confirm", {}, key="k-1")


async def test_a_token_that_is_not_taken_is_the_fault_of_no_command() -> None:
    async with answered(problem("401 Unauthorized", "unauthorized", "expired"), retries=0) as client:
        for _ in range(20):
            with pytest.raises(DependencyUnavailable) as failed:
                await client.send("orders", "o-1", "confirm", {}, key="k-1")
            assert not failed.value.alone
        assert client.policy.breaker.state == "open", "no other command would be taken either"


async def test_what_is_sent() -> None:
    seen: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(DONE)

    async with raw_server(note) as server:
        client = commands(f"http://127.0.0.1:{server.port}", tokens=GivenToken("to.ke.n"))
        await client.send("stock", "tea.2:b", "reserve", {}, key="k-1", correlation_id="c-1")
        await client.close()
    (head,) = seen
    assert head.startswith(b"POST /stock/tea.2%3Ab/reserve HTTP/1.1\r\n")
    for header in (
        b"Idempotency-Key: k-1",
        b"X-Correlation-ID: c-1",
        b"Eventfold-Actor: tester",
        b"Authorization: Bearer to.ke.n",
    ):
        assert header in head


async def test_over_a_real_command_api(tmp_path: Path) -> None:
    """The same key gives the same answer, before and after the command API was killed; while it is away nothing is
    known."""
    node = await start_node(tmp_path)
    try:
        async with running("command_api", tmp_path, domain=TINY, eventstore_uri=node_uri(node.port)) as api:
            client = commands(api.url)
            install = {"room": "hall", "watts": 40}
            lamp_id = uuid.uuid4().hex[:8]
            first = await client.send("lamps", lamp_id, "", install, key="k-1", correlation_id="c-1")
            assert (first.accepted, first.status, first.revision) == (True, 201, 0)
            assert await client.send("lamps", lamp_id, "", install, key="k-1") == first
            again = await client.send("lamps", lamp_id, "", install, key="k-2")
            assert (again.accepted, again.status) == (False, 409)
            reused = await client.send("lamps", lamp_id, "", {"room": "attic", "watts": 1}, key="k-1")
            assert (reused.accepted, reused.status, reused.code) == (False, 422, "idempotency-key-reused")
            nobody = await client.send("lamps", "nobody", "switch-on", {}, key="k-3")
            assert (nobody.accepted, nobody.code) == (False, "not-found")
            await api.kill()
            with pytest.raises(DependencyUnavailable) as failed:
                await client.send("lamps", lamp_id, "switch-on", {}, key="k-4")
            assert not failed.value.sent
            await api.start()
            while True:
                try:
                    assert await client.send("lamps", lamp_id, "", install, key="k-1") == first
                    break
                except DependencyUnavailable as error:
                    await asyncio.sleep(max(0.05, error.retry_after))
            await client.close()
    finally:
        await node.kill()

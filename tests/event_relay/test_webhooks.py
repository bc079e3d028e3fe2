"""Webhooks against servers that answer with anything, over real sockets."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from infrastructure.integration.cloud_event import from_structured
from infrastructure.outside.deliveries import EventRefused
from infrastructure.outside.public_addresses import is_public
from infrastructure.outside.webhooks import Webhook, signed
from infrastructure.resilience import Delays, DependencyUnavailable, Limits, Policy
from tests.infrastructure.integration.test_cloud_event import EVENT, parts
from tests.support.raw_tcp import Connected, RawServer, answering, raw_server, response

SECRET = b"a secret of the tests"


@asynccontextmanager
async def webhook(
    connected: Connected, host: str = "127.0.0.1", public_only: bool = False, **limits: Any
) -> AsyncIterator[tuple[Webhook, RawServer]]:
    given = {"timeout": 30.0, "retries": 1, **limits}
    policy = Policy("relay_test", Limits(**given), delays=Delays(first=0.0, cap=0.0))
    async with raw_server(connected) as server:
        url = f"http://{host}:{server.port}/in?key=1"
        one = Webhook(url, SECRET, policy, public_only=public_only, clock=lambda: 1_700_000_000.9)
        try:
            yield one, server
        finally:
            await one.close()


async def test_a_request_is_signed_and_holds_the_event():
    received: list[bytes] = []

    async def connected(reader: Any, writer: Any) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        received.extend([head, await reader.readexactly(int(length.split(b":")[1]))])
        writer.write(response("200 OK", b"thank you", kind="text/plain"))

    async with webhook(connected) as (one, _):
        await one.deliver(EVENT)
    head, body = received
    first, *lines = head.decode().rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert first == "POST /in?key=1 HTTP/1.1"
    assert headers["content-type"] == "application/cloudevents+json"
    assert parts(from_structured(body)) == parts(EVENT)
    # As a subscriber checks it, who knows the secret alone.
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (EVENT.id, "1700000000")


def test_the_signature_is_that_of_standard_webhooks():
    # The example of the specification's reference implementation.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "204 No Content"])
async def test_a_success_acknowledges(status: str):
    async with webhook(answering(response(status))) as (one, server):
        await one.deliver(EVENT)
        assert server.connections == 1


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_to_an_internal_address_is_not_followed(status: str):
    async with raw_server(answering(response("200 OK"))) as internal:
        away = response(status, b"", f"Location: http://127.0.0.1:{internal.port}/admin")
        async with webhook(answering(away)) as (one, server):
            with pytest.raises(DependencyUnavailable, match="a redirect to"):
                await one.deliver(EVENT)
            assert (server.connections, internal.connections) == (1, 0)


@pytest.mark.parametrize("status", ["400 Bad Request", "409 Conflict", "413 Too Large", "422 Unprocessable"])
async def test_an_event_that_is_refused_is_refused_at_once(status: str):
    async with webhook(answering(response(status, b'{"why": "no"}'))) as (one, server):
        with pytest.raises(EventRefused, match=f"{status[:3]} .*no"):
            await one.deliver(EVENT)
        assert server.connections == 1


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"])
async def test_what_says_nothing_of_the_event_is_an_outage(status: str):
    async with webhook(answering(response(status))) as (one, _):
        with pytest.raises(DependencyUnavailable, match=status[:3]):
            await one.deliver(EVENT)


async def test_a_moments_fault_is_tried_again():
    responses = [response("503 Unavailable"), response("200 OK")]
    async with webhook(answering(*responses)) as (one, server):
        await one.deliver(EVENT)
        assert server.connections == 2


async def test_one_that_never_answers_is_given_up():
    async def silent(reader: Any, _writer: Any) -> None:
        await reader.read()

    async with webhook(silent, timeout=0.05, retries=0) as (one, _):
        with pytest.raises(DependencyUnavailable):
            await one.deliver(EVENT)


async def test_a_success_that_comes_when_the_time_is_over_is_none():
    """A minute, to the subscriber; the timeout is what a webhook waits."""
    over = asyncio.Event()

    async def late(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await over.wait()
        writer.write(response("200 OK"))

    async with webhook(late, timeout=0.05, retries=0) as (one, server):
        with pytest.raises(DependencyUnavailable):
            await one.deliver(EVENT)
        over.set()
        assert server.connections == 1


async def test_one_that_sends_its_answer_for_ever_is_given_up():
    async def drips(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with webhook(drips, timeout=0.3, retries=0) as (one, _):
        with pytest.raises(DependencyUnavailable):
            await one.deliver(EVENT)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001"])
async def test_where_public_addresses_alone_are_allowed_nothing_goes_to_this_machine(host: str):
    async with webhook(answering(response("200 OK")), host, public_only=True, retries=0) as (one, server):
        with pytest.raises(DependencyUnavailable):
            await one.deliver(EVENT)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        *((one, False) for one in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0")),
        *((one, False) for one in ("100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1")),
        *((one, False) for one in ("::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1")),
        *((one, False) for one in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::7f00:1")),
        ("::ffff:93.184.216.34", True),
    ],
)
def test_which_addresses_are_public(address: str, public: bool):
    assert is_public(ip_address(address)) is public

"""What a service does with clients that are slow, greedy or broken, over real sockets: the limits are short here."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from uuid import uuid4

import pytest
import pytest_asyncio

from infrastructure.event_store import EventStore
from infrastructure.settings import Settings
from tests.support.http_session import http_session
from tests.support.raw_http import PATIENCE, RawClient, RawResponse, connected
from tests.support.services import TINY, Service, node_uri, running, start_node, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAMP = b'{"room": "kitchen", "watts": 60}'
SHORT = {
    "http_head_timeout": "2",
    "http_body_timeout": "3",
    "http_write_timeout": "2",
    "http_idle_timeout": "2",
    "max_body_bytes": "65536",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    node = await start_node(tmp_path_factory.mktemp("node"))
    yield node
    await node.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(node: Service, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    directory = tmp_path_factory.mktemp("api")
    settings = {"eventstore_uri": node_uri(node.port), **SHORT}
    async with running("command_api", directory, "/health/ready", domain=TINY, **settings) as service:
        yield service


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: here", *headers, "", ""]).encode()


def installation(lamp_id: str, *headers: str, length: int = len(LAMP)) -> bytes:
    """The head of a command whose body is LAMP."""
    return head("PUT", f"/lamps/{lamp_id}", "content-type: application/json", f"content-length: {length}", *headers)


def chunked(lamp_id: str) -> bytes:
    return head("PUT", f"/lamps/{lamp_id}", "content-type: application/json", "transfer-encoding: chunked")


def assert_refused(response: RawResponse, status: int, kind: str) -> None:
    assert (response.status, response.headers["content-type"]) == (status, "application/problem+json")
    assert response.headers["connection"] == "close"
    assert response.json["status"] == status
    assert response.json["type"] == f"urn:eventfold:problem:{kind}"


async def assert_last(client: RawClient, status: int, kind: str) -> None:
    """The next response is this problem, and the connection ends after it."""
    assert_refused(await client.response(), status, kind)
    assert await client.end() == b""


async def assert_each_refused(
    api: Service, cases: Mapping[str, tuple[bytes, Iterable[bytes]]], status: int, kind: str, pause: float = 0.05
) -> None:
    """A client of each case, all at the same time, sends the beginning, then the rest piece by piece, and gets this
    problem as its last response."""

    async def one(name: str, beginning: bytes, rest: Iterable[bytes]) -> None:
        async with connected(api.port) as client:
            with suppress(ConnectionError):
                await client.send(beginning)
            try:
                async with client.sending(rest, pause):
                    response = await client.response()
                assert_refused(response, status, kind)
                assert await client.end() == b""
            except (AssertionError, asyncio.IncompleteReadError, OSError) as error:
                raise AssertionError(f"{name}: {error!r}") from error

    await asyncio.gather(*(one(name, *case) for name, case in cases.items()))


async def figure(api: Service, name: str) -> float:
    """A metric; 0 before its first time."""
    async with http_session() as session, session.get(api.url + "/metrics") as response:
        lines = (await response.text()).splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)


async def is_installed(node: Service, lamp_id: str) -> bool:
    store = EventStore(node_uri(node.port))
    try:
        return bool(await store.read_stream(f"lamp-{lamp_id}"))
    finally:
        await store.close()


async def test_the_defaults_are_those_that_are_promised():
    limits = Settings().connections
    assert (limits.head_timeout, limits.body_timeout, limits.body_rate) == (10, 30, 240)
    assert (limits.write_timeout, limits.idle_timeout) == (30, 5)
    assert (limits.max_head_bytes, limits.max_headers, limits.max_connections) == (16_384, 100, 1_000)


def one_by_one(data: bytes) -> Iterable[bytes]:
    return (bytes([byte]) for byte in data)


class TestHead:
    async def test_one_that_is_slow_or_stops_gets_a_408(self, api):
        timed_out = 'eventfold_http_connections_timed_out_total{reason="head"}'
        before = await figure(api, timed_out)
        cases = {
            "byte by byte": (b"", one_by_one(head("GET", "/health/live", f"x: {'y' * 10_000}"))),
            "blank lines": (b"", itertools.repeat(b"\r\n")),
            "line by line": (head("GET", "/health/live")[:-2], itertools.repeat(b"x: y\r\n")),
            "stops": (b"GET /health/live HTTP/1.1\r\nhost: he", ()),
        }
        await assert_each_refused(api, cases, 408, "too-slow")
        assert await figure(api, timed_out) >= before + len(cases)

    async def test_a_second_one_on_the_same_connection_gets_a_408(self, api):
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live"))
            assert (await client.response()).status == 200
            async with client.sending(one_by_one(head("GET", "/health/live", f"x: {'y' * 10_000}"))):
                await assert_last(client, 408, "too-slow")

    async def test_one_too_large_is_refused(self, api):
        too_large = 'eventfold_http_connections_refused_total{reason="head-too-large"}'
        before = await figure(api, too_large)
        large = {
            "a little": (head("GET", "/health/live", f"x: {'y' * 17_000}"), ()),
            "10 MB": (head("GET", "/health/live", f"x: {'y' * 10 * 2**20}"), ()),
            "without end": (b"GET / HTTP/1.1\r\nx: ", itertools.repeat(b"y" * 4_096)),
        }
        many = {"101 headers": (head("GET", "/health/live", *(f"x-{n}: y" for n in range(100))), ())}
        long = {
            "1 MB": (head("GET", "/" + "x" * 2**20), ()),
            "without end": (b"GET /", itertools.repeat(b"y" * 4_096)),
        }
        await assert_each_refused(api, large, 431, "head-too-large", pause=0.01)
        await assert_each_refused(api, many, 431, "too-many-headers")
        await assert_each_refused(api, long, 414, "url-too-long", pause=0.01)
        assert await figure(api, too_large) == before + len(large)

    async def test_what_is_within_the_bounds_is_served(self, api):
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live", *(f"x-{n}: {'y' * 150}" for n in range(99))))
            assert (await client.response()).status == 200

    async def test_what_is_no_http_gets_a_400(self, api):
        async with connected(api.port) as client:
            await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            await assert_last(client, 400, "malformed-request")


class TestBody:
    async def test_one_that_is_slow_or_stops_gets_a_408_and_is_no_command(self, api, node):
        lamps = [f"l-{uuid4()}" for _ in range(7)]
        timed_out = 'eventfold_http_connections_timed_out_total{reason="body"}'
        before = await figure(api, timed_out)
        cases = {
            "no body": (installation(lamps[0]), ()),
            "a part": (installation(lamps[1]) + LAMP[:20], ()),
            "no chunk": (chunked(lamps[2]), ()),
            "half a chunk": (chunked(lamps[3]) + b"%x\r\n" % len(LAMP) + LAMP[:5], ()),
            "below the least rate": (installation(lamps[4], length=60_000), itertools.repeat(b" ")),
            "chunks below the least rate": (chunked(lamps[5]), itertools.repeat(b"1\r\n \r\n")),
            "above the least rate, for ever": (installation(lamps[6], length=65_000), itertools.repeat(b" " * 200)),
        }
        await assert_each_refused(api, cases, 408, "too-slow")
        assert await figure(api, timed_out) == before + len(cases)
        assert not [lamp for lamp in lamps if await is_installed(node, lamp)]

    async def test_endless_framing_gets_a_400(self, api):
        cases = {
            "a chunk extension": (chunked("l-1") + b"1;", itertools.repeat(b"x=y;" * 1_000)),
            "trailers": (chunked("l-2") + b"0\r\n", itertools.repeat(f"x: {'y' * 4_000}\r\n".encode())),
            "one trailer": (chunked("l-3") + b"0\r\nx: ", itertools.repeat(b"y" * 4_000)),
        }
        await assert_each_refused(api, cases, 400, "malformed-request", pause=0.01)

    async def test_trailers_do_not_pass_for_headers(self, api, node):
        lamp_id = f"l-{uuid4()}"
        async with connected(api.port) as client:
            await client.send(chunked(lamp_id))
            await client.send(b"%x;why=not\r\n%s\r\n0\r\neventfold-actor: mallory\r\n\r\n" % (len(LAMP), LAMP))
            assert (await client.response()).status == 201
        store = EventStore(node_uri(node.port))
        try:
            (event,) = await store.read_stream(f"lamp-{lamp_id}")
        finally:
            await store.close()
        assert json.loads(event.metadata)["actor"] == "anonymous"

    async def test_one_too_large_gets_a_413_and_the_connection_ends(self, api):
        cases = {
            "sent": (installation("l-1", length=10**6) + b" " * 10**6, ()),
            "announced": (installation("l-1", length=10**12) + b" " * 10**5, ()),
            "chunked": (chunked("l-1") + b"10000\r\n" + b" " * 65_536 + b"\r\n10\r\n" + b" " * 16, ()),
        }
        await assert_each_refused(api, cases, 413, "too-large")

    async def test_one_that_nobody_waits_for_keeps_no_connection_open(self, api):
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live", "content-length: 100000"))
            assert (await client.response()).status == 200
            async with client.sending(itertools.repeat(b" ")):
                assert await client.end() == b""

    async def test_one_that_nobody_waits_for_may_be_followed_by_a_request(self, api):
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live", "content-length: 20") + b" " * 10)
            assert (await client.response()).status == 200
            await client.send(b" " * 10 + head("GET", "/health/live"))
            assert (await client.response()).status == 200
            assert await client.end() == b"", "then it is idle, and closed"


class TestConnection:
    async def test_one_that_says_nothing_is_closed(self, api):
        before = await figure(api, 'eventfold_http_connections_timed_out_total{reason="silent"}')
        async with connected(api.port) as client:
            assert await client.end() == b""
        assert await figure(api, 'eventfold_http_connections_timed_out_total{reason="silent"}') == before + 1

    async def test_an_idle_one_is_closed(self, api):
        before = await figure(api, 'eventfold_http_connections_timed_out_total{reason="idle"}')
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live"))
            assert (await client.response()).status == 200
            assert await client.end() == b""
        assert await figure(api, 'eventfold_http_connections_timed_out_total{reason="idle"}') > before

    async def test_a_client_that_never_reads_is_cut_off(self, api):
        timed_out = 'eventfold_http_connections_timed_out_total{reason="write"}'
        before = await figure(api, timed_out)
        async with connected(api.port, receive_buffer=4_096) as client:
            client.writer.transport.pause_reading()
            # Large heads: no more than some are read in one piece, so that they are not taken for too many at once.
            large = head("GET", "/schema/openapi.json", f"x: {'y' * 15_000}")

            async def is_cut_off() -> bool:
                return await figure(api, timed_out) > before

            async with client.sending(itertools.repeat(large), pause=0):
                await until(is_cut_off, "the connection is given up", PATIENCE)

    async def test_pipelined_requests_get_their_responses_in_order(self, api):
        async with connected(api.port) as client:
            lamps = [f"l-{uuid4()}" for _ in range(20)]
            await client.send(b"".join(installation(lamp) + LAMP for lamp in lamps))
            assert [(await client.response()).json["lamp_id"] for _ in lamps] == lamps

    async def test_a_bad_one_behind_good_ones_is_refused_in_its_place(self, api):
        async with connected(api.port) as client:
            lamps = [f"l-{uuid4()}" for _ in range(3)]
            await client.send(b"".join(installation(lamp) + LAMP for lamp in lamps) + b"no request\r\n\r\n")
            assert [(await client.response()).json["lamp_id"] for _ in lamps] == lamps
            await assert_last(client, 400, "malformed-request")

    async def test_endless_pipelining_ends_after_some(self, api):
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live") * 1_000)
            responses = await client.end()
        assert 1 <= responses.count(b"HTTP/1.1 200 OK") <= 33
        assert responses.count(b"HTTP/1.1") == responses.count(b"HTTP/1.1 200 OK")

    async def test_however_a_request_is_cut_it_is_the_same(self, api):
        for seed in range(30):
            choose = random.Random(seed)
            lamp = f"l-{uuid4()}"
            whole = chunked(lamp) + b"".join(b"1\r\n%c\r\n" % one for one in LAMP) + b"0\r\n\r\n"
            whole += head("GET", "/health/live")
            cuts = sorted(choose.sample(range(len(whole)), choose.randint(1, 8)))
            async with connected(api.port) as client:
                for start, stop in itertools.pairwise([0, *cuts, len(whole)]):
                    await client.send(whole[start:stop])
                    await asyncio.sleep(0)
                first, second = await client.response(), await client.response()
            assert (first.status, first.json["lamp_id"], second.status) == (201, lamp, 200), f"seed {seed}"

    async def test_an_upgrade_that_is_not_spoken_is_answered_as_plain_http(self, api):
        async with connected(api.port) as client:
            await client.send(head("GET", "/health/live", "connection: upgrade", "upgrade: websocket"))
            assert (await client.response()).status == 200


class TestBound:
    """How many connections there may be: four, here."""

    @pytest_asyncio.fixture(loop_scope="module")
    async def small(self, node: Service, tmp_path) -> AsyncIterator[Service]:
        settings = {"eventstore_uri": node_uri(node.port), "http_max_connections": "4"}
        patient = {"http_head_timeout": "600", "http_body_timeout": "600", "http_idle_timeout": "600"}
        async with running("command_api", tmp_path, domain=TINY, **settings, **patient) as service:
            yield service

    async def test_who_waits_longest_for_a_request_gives_way_to_a_new_one(self, small):
        async with AsyncExitStack() as stack:
            served = await stack.enter_async_context(connected(small.port))
            await served.send(head("GET", "/health/live"))
            assert (await served.response()).status == 200
            silent = [await stack.enter_async_context(connected(small.port)) for _ in range(10)]
            for _ in range(10):
                async with connected(small.port) as client:
                    await client.send(installation(f"l-{uuid4()}") + LAMP)
                    assert (await client.response()).status == 201
            await silent[0].end()
            await served.send(head("GET", "/health/live"))
            assert (await served.response()).status == 200, "it has had a response: the silent ones went first"

    async def test_all_at_work_and_one_more(self, small):
        async with AsyncExitStack() as stack:
            lamps = [f"l-{uuid4()}" for _ in range(4)]
            at_work = [await stack.enter_async_context(connected(small.port)) for _ in lamps]
            for lamp, client in zip(lamps, at_work, strict=True):
                await client.send(installation(lamp, "expect: 100-continue"))
                await client.may_continue()
            async with connected(small.port) as client:
                await client.send(installation(f"l-{uuid4()}") + LAMP)
                response = await client.response()
                assert_refused(response, 503, "too-many-connections")
                assert int(response.headers["retry-after"]) >= 1
                assert await client.end() == b""
            flood = [await stack.enter_async_context(connected(small.port)) for _ in range(200)]
            for path in ("/health/live", "/health/ready", "/metrics"):
                async with connected(small.port) as client:
                    await client.send(head("GET", path))
                    response = await client.response()
                    assert (response.status, response.headers["connection"]) == (200, "close"), path
                    assert await client.end() == b""
            assert await figure(small, "eventfold_http_connections") <= 4 + 32
            assert await figure(small, 'eventfold_http_connections_refused_total{reason="connections"}') >= 1
            await flood[0].end()

            for lamp, client in zip(lamps, at_work, strict=True):
                await client.send(LAMP)
                assert (await client.response()).json["lamp_id"] == lamp
            async with connected(small.port) as client:
                await client.send(installation(f"l-{uuid4()}") + LAMP)
                assert (await client.response()).status == 201


async def test_a_stop_does_not_wait_for_slow_clients(node, tmp_path):
    patient = {"http_head_timeout": "3600", "http_body_timeout": "3600", "http_body_rate": "0", "shutdown_grace": "1"}
    settings = {"eventstore_uri": node_uri(node.port), **patient}
    async with running("command_api", tmp_path, domain=TINY, **settings) as api, AsyncExitStack() as stack:
        for begun in (b"", b"GET /health/live HTTP/1.1\r\nx: y\r\n", installation("l-1") + LAMP[:5]):
            for _ in range(20):
                client = await stack.enter_async_context(connected(api.port))
                await client.send(begun)
        async with asyncio.timeout(PATIENCE):
            assert await api.stop() == 0

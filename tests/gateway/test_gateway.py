"""What a client sees at the gateway, before real services."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from infrastructure.http.problems import MEDIA_TYPE
from tests.gateway.shop import Gateway, Shop, behind, install, sending_events
from tests.support.services import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def refused(response: aiohttp.ClientResponse, status: int, kind: str) -> dict[str, Any]:
    text = await response.text()
    assert response.status == status, text
    assert response.headers["Content-Type"] == MEDIA_TYPE
    problem: dict[str, Any] = json.loads(text)
    assert (problem["status"], problem["type"]) == (status, f"urn:eventfold:problem:{kind}")
    return problem


async def test_commands_and_queries_go_where_they_belong(
    gateway: Gateway, shop: Shop, http: aiohttp.ClientSession
) -> None:
    sent = {**shop.bearer(), "x-request-id": "7f7b6ad1-6d29-4a3c-8a9b-000000000001", "traceparent": TRACE}
    async with http.put(f"{gateway.url}/lamps/a", json={"room": "hall", "watts": 40}, headers=sent) as response:
        assert response.status == 201
        assert response.headers["x-request-id"] == sent["x-request-id"]
        assert response.headers["ETag"] == '"0"'
    async with http.get(f"{gateway.url}/lamps/a?as_of=0", headers=shop.bearer()) as response:
        assert response.status == 200
        assert response.headers["ETag"] == '"0"', "the version, which If-Match takes, is nobody's to change on the way"
        assert "Content-Encoding" not in response.headers

    async def is_logged() -> bool:
        lines = [json.loads(line) for line in gateway.envoy.log.read_text().splitlines() if line.startswith("{")]
        return any((one["request_id"], one["trace_id"]) == (sent["x-request-id"], TRACE) for one in lines)

    await until(is_logged, "the request is in the log, with its trace")


async def test_head_options_and_other_methods(gateway: Gateway, shop: Shop, http: aiohttp.ClientSession) -> None:
    assert (await install(http, gateway.url, "head", shop.bearer()))[0] == 201
    async with http.head(f"{gateway.url}/lamps/head?as_of=0", headers=shop.bearer()) as response:
        assert response.status == 200
        assert await response.read() == b""
    async with http.options(f"{gateway.url}/lamps/head") as response:
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, PUT")
    async with http.delete(f"{gateway.url}/lamps/head", headers=shop.bearer()) as response:
        await refused(response, 405, "method-not-allowed")
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


@pytest.mark.parametrize("path", ["/nothing", "/metrics", "/log-level", "/dead-letters", "/lamps/a/b/c"])
async def test_what_is_not_for_clients_is_not_there(gateway: Gateway, http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(gateway.url + path) as response:
        await refused(response, 404, "no-such-path")


@pytest.mark.parametrize("authorization", ["", "Bearer x.y.z", "Basic YWRhOmFkYQ=="])
async def test_who_has_no_token_is_refused_at_the_edge(
    gateway: Gateway, http: aiohttp.ClientSession, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    before = gateway.envoy.stat("cluster.query-api.upstream_rq_total")
    async with http.get(f"{gateway.url}/lamps/a/history", headers=headers) as response:
        await refused(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    assert gateway.envoy.stat("cluster.query-api.upstream_rq_total") == before, "no service was asked"


async def test_services_check_again_behind(shop: Shop, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{shop.queries.url}/lamps/a/history") as response:
        await refused(response, 401, "unauthorized")


async def test_a_scope_that_is_missing_is_the_service_to_tell(
    gateway: Gateway, shop: Shop, http: aiohttp.ClientSession
) -> None:
    token = shop.token("eve", scopes=())
    async with http.get(f"{gateway.url}/lamps/a/history", headers={"Authorization": f"Bearer {token}"}) as response:
        problem = await refused(response, 403, "forbidden")
    assert "lamps:read" in problem["detail"]


async def test_a_body_that_is_too_large_reaches_no_service(
    gateway: Gateway, shop: Shop, http: aiohttp.ClientSession
) -> None:
    body = b"x" * (gateway.options.settings.http.max_body_bytes + 1)
    async with http.put(f"{gateway.url}/lamps/big", data=body, headers=shop.bearer()) as response:
        await refused(response, 413, "too-large")


async def test_one_document_of_all_and_its_page(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    gzipped = {"Accept-Encoding": "gzip"}
    async with http.get(f"{gateway.url}/schema/openapi.json", headers=gzipped) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        document = await response.json(content_type=None)
    assert {"get", "put"} <= set(document["paths"]["/lamps/{lamp_id}"])
    async with http.get(f"{gateway.url}/schema") as response:
        page = await response.text()
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for part in ("schema/start.js", *(one.split('"')[0] for one in page.split('src="')[1:])):
        async with http.get(f"{gateway.url}/{part}") as response:
            assert response.status == 200, part


async def test_events_pass_as_they_come_and_last(gateway: Gateway, shop: Shop, http: aiohttp.ClientSession) -> None:
    headers = {**shop.bearer(), "Accept-Encoding": "gzip", "traceparent": TRACE, "X-Forwarded-For": "203.0.113.9"}
    events = http.get(f"{gateway.url}/events", headers=headers)
    async with sending_events(shop.events_port) as (go_on, asked), events as response:
        assert (response.status, response.headers.get("Content-Encoding")) == (200, None)
        assert await response.content.readuntil(b"\n\n") == b"id: 1\n\n"
        assert asked["traceparent"] == TRACE
        assert asked["authorization"] == headers["Authorization"], "the service checks it again"
        claimed, _, true = asked["x-forwarded-for"].rpartition(",")
        assert claimed == "203.0.113.9" != true, "who asks stands last, whatever was there before"
        go_on.set()
        assert await response.content.readuntil(b"\n\n") == b"id: 2\n\n"


async def test_health_and_figures(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    for path in ("/health/live", "/health/ready"):

        async def well(path: str = path) -> bool:
            async with http.get(gateway.url + path) as response:
                return response.status == 200

        await until(well, f"{path} answers 200")
    metrics = gateway.options.metrics
    assert metrics is not None
    async with http.get(f"http://{metrics.host}:{metrics.port}/metrics") as response:
        assert "envoy_cluster_upstream_rq_total" in await response.text()
    async with http.get(f"http://{metrics.host}:{metrics.port}/quitquitquit") as response:
        assert response.status == 404


async def test_a_slow_client_holds_nobody_up(shop: Shop, tmp_path: Any, http: aiohttp.ClientSession) -> None:
    async with behind(shop.gateway(tmp_path, http_head_timeout=1.0, http_body_timeout=1.0)) as gateway:
        port = gateway.options.listen.port
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        head = b"PUT /lamps/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\nContent-Type: application/json\r\n"
        for number, (_, writer) in enumerate(slow):
            token = f"Authorization: Bearer {shop.token()}\r\n\r\n{{".encode()
            writer.write(head + token if number % 2 else head)  # a body that does not come, a head that has no end
        assert (await install(http, gateway.url, "quick", shop.bearer()))[0] == 201
        for reader, writer in slow:
            assert b" 408 " in (await reader.read())[:20]
            writer.close()
        assert gateway.envoy.stat("cluster.command-api.upstream_rq_total") == 1, "no slow one got through"


async def test_each_client_may_ask_only_so_much(shop: Shop, tmp_path: Any, http: aiohttp.ClientSession) -> None:
    async def ask(gateway: Gateway, headers: dict[str, str]) -> int:
        async with http.get(f"{gateway.url}/lamps/none/history", headers=headers) as response:
            if response.status == 429:
                await refused(response, 429, "too-many-requests")
                assert response.headers["Retry-After"] == "1"
                assert response.headers["RateLimit-Policy"] == '"client";q=5;w=50'
            return response.status

    async with behind(shop.gateway(tmp_path, rate_limit=0.1, rate_limit_burst=5)) as gateway:
        greedy = [await ask(gateway, shop.bearer("greedy")) for _ in range(7)]
        assert greedy == [404] * 5 + [429] * 2
        assert await ask(gateway, shop.bearer("modest")) == 404, "another client is not held back by it"
        invalid = [await ask(gateway, {"Authorization": "Bearer no"}) for _ in range(20)]
        assert set(invalid) == {401, 429}, "who sends no valid token is limited by the address"

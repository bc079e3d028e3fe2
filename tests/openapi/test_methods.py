"""Every method at every path of every service: what is allowed is answered, and what is not says what is."""

from pathlib import Path

import aiohttp
import pytest

from tests.support.http_session import http_session
from tests.support.services import running

ODD = ("TRACE", "PATCH", "PROPFIND", "PURGE", "QUERY")


@pytest.mark.parametrize("name", ["command_api", "query_api", "projector"])
async def test_allow_has_the_whole_truth(tmp_path: Path, name: str) -> None:
    async with running(name, tmp_path) as service, http_session(service.url) as http:
        async with http.get("/schema/openapi.json") as response:
            paths = (await response.json(content_type=None))["paths"]
        for path, operations in paths.items():
            methods = {one.upper() for one in operations} | {"OPTIONS"} | ({"HEAD"} if "get" in operations else set())
            where = path.replace("{position}", "1").replace("{", "").replace("}", "")
            async with http.options(where) as response:
                assert (response.status, _allowed(response)) == (204, methods), path
            for method in {*ODD, "GET", "HEAD", "PUT", "POST", "DELETE"} - methods:
                async with http.request(method, where) as response:
                    assert (response.status, _allowed(response)) == (405, methods), (method, path)
                    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/schema", "/schema/openapi.json", "/", "/nothing"])
async def test_head_is_get_without_a_body(tmp_path: Path, path: str) -> None:
    async with running("query_api", tmp_path) as service, http_session(service.url) as http:
        async with http.get(path, allow_redirects=False) as got:
            pass
        async with http.head(path, allow_redirects=False) as head:
            assert (head.status, head.content_type) == (got.status, got.content_type)
            assert await head.read() == b""


def _allowed(response: aiohttp.ClientResponse) -> set[str]:
    return set(response.headers["Allow"].split(", "))

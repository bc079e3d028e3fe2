"""The API pages in a real Chromium that reaches this machine only: they show every operation, and ask nobody else."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest

from infrastructure.http.api_pages import PATH
from tests.support.http_session import http_session
from tests.support.services import running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NO_NETWORK = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: on Debian, apt-get install chromium")


def opened(url: str, folder: Path) -> tuple[str, set[str]]:
    """The page as it stands once its scripts have run, and every address that it asked for something."""
    assert CHROMIUM is not None
    log = folder / "net.json"
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={folder / 'profile'}", f"--host-resolver-rules={NO_NETWORK}", f"--log-net-log={log}"),
        *("--timeout=120000", "--virtual-time-budget=60000", "--dump-dom", url),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    events = json.loads(log.read_text())["events"]
    asked = [one["params"] for one in events if "url" in one.get("params", {})]
    # What the browser asks on its own account, such as the time, has no origin; without a network it gets nowhere.
    page = url.rstrip("/")
    return ran.stdout, {one["url"] for one in asked if one.get("initiator") == page or one["url"].startswith(page)}


@needs_chromium
@pytest.mark.parametrize("name", ["command_api", "query_api", "projector"])
async def test_the_page_shows_every_operation_without_internet(tmp_path: Path, name: str) -> None:
    async with running(name, tmp_path) as service:
        page, fetched = await asyncio.to_thread(opened, service.url + "/", tmp_path)
        async with http_session() as http, http.get(f"{service.url}{PATH}/openapi.json") as response:
            document = await response.json(content_type=None)
    assert document["info"]["title"] in page
    for path, operations in document["paths"].items():
        assert f'data-path="{path}"' in page.replace("\u200b", "").replace("<wbr>", ""), path
        for operation in operations.values():
            assert operation["summary"] in page
    assert [url for url in fetched if not url.startswith((service.url, "data:"))] == []
    assert f"{service.url}{PATH}/openapi.json" in fetched


async def test_what_the_page_loads_is_served_here_with_its_media_type(tmp_path: Path) -> None:
    async with running("command_api", tmp_path) as service, http_session() as http:
        async with http.get(service.url + "/", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "schema")
        for page in ("/schema", "/schema/", "/schema/swagger"):
            async with http.get(service.url + page) as response:
                text = await response.text()
                assert response.status == 200
                assert response.content_type == "text/html"
                assert "default-src 'none'" in response.headers["Content-Security-Policy"]
                assert "http:" not in text
                assert "https:" not in text
                loaded = [one.split('"')[1] for one in text.replace('src="', 'href="').split("href=")[1:]]
                files = [response.url.join(aiohttp.client.URL(one)) for one in loaded if not one.startswith("data:")]
            assert len(files) == 3
            for file in files:
                async with http.get(file) as response:
                    assert response.status == 200, file
                    kind = "text/css" if file.name.endswith("css") else "text/javascript"
                    assert response.content_type == kind
                    cached = response.headers.get("Cache-Control", "")
                    assert file.name == "start.js" or ("immutable" in cached and "max-age=31536000" in cached)
        async with http.get(service.url + "/schema/nothing.js") as response:
            assert response.status == 404

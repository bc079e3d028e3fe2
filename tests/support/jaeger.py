"""A real Jaeger, where there is one: a collector of somebody else's, which can be asked for a trace."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.services import until

MISSING = "there is no Jaeger: .ci/install-jaeger builds one, where there is Go"


def jaeger_binary() -> Path | None:
    """Where it is: by JAEGER_ALL_IN_ONE, on the path, or where Go installs."""
    if named := os.environ.get("JAEGER_ALL_IN_ONE"):
        return Path(named)
    go = Path(os.environ.get("GOBIN") or Path(os.environ.get("GOPATH", Path.home() / "go")) / "bin")
    for found in (shutil.which("jaeger-all-in-one"), str(go / "jaeger-all-in-one")):
        if found is not None and Path(found).is_file():
            return Path(found)
    return None


class Jaeger:
    """It takes OTLP over HTTP at `otlp_url`."""

    def __init__(self, otlp_port: int, query_port: int) -> None:
        self.otlp_url = f"http://127.0.0.1:{otlp_port}"
        self._query = f"http://127.0.0.1:{query_port}"

    async def trace(self, trace_id: str) -> dict[str, Any] | None:
        """A trace as its API shows it, by the trace's id; None where it knows none."""
        async with (
            http_session() as http,
            http.get(f"{self._query}/api/traces/{trace_id}") as response,
        ):
            if response.status == 404:
                return None
            assert response.status == 200, await response.text()
            found: list[dict[str, Any]] = (await response.json())["data"]
            return found[0] if found else None

    async def answers(self) -> bool:
        try:
            async with http_session() as http, http.get(f"{self._query}/api/services") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def running_jaeger(binary: Path, folder: Path) -> AsyncIterator[Jaeger]:
    """A Jaeger for the block, which keeps traces in memory; on loopback alone."""
    otlp, query = free_port(), free_port()
    ports = {"collector.otlp.http.host-port": otlp, "query.http-server.host-port": query}
    others = (
        "collector.otlp.grpc.host-port",
        "collector.grpc-server.host-port",
        "collector.http-server.host-port",
        "query.grpc-server.host-port",
        "admin.http.host-port",
    )
    ports |= {name: free_port() for name in others}
    arguments = [f"--{name}=127.0.0.1:{port}" for name, port in ports.items()]
    with (folder / "jaeger.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - it is only started here
            [str(binary), *arguments], stdout=log, stderr=log, env={**os.environ, "SPAN_STORAGE_TYPE": "memory"}
        )
    jaeger = Jaeger(otlp, query)

    async def answers() -> bool:
        assert process.poll() is None, f"Jaeger ended: {(folder / 'jaeger.log').read_text()[-2000:]}"
        return await jaeger.answers()

    try:
        await until(answers, "Jaeger answers", 60)
        yield jaeger
    finally:
        process.kill()
        process.wait()

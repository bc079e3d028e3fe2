"""The log of real processes: every line is one of the table's, none has a secret, and no reader holds a service up."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.docs.test_log_events import rows
from tests.support.http_session import http_session
from tests.support.ports import free_port
from tests.support.services import ROOT, TINY, running, until

SECRETS = {
    "eventstore_uri": "esdb://admin:canary-event-store@127.0.0.1:9?Tls=false",
    "mongo_uri": "mongodb://eventfold:canary-read-store@127.0.0.1:9/?directConnection=true",
    "payments_key": "canary-payments-key",
    "payments_webhook_secret": "canary-webhook-secret",
    "mail_url": "smtp://mailer:canary-mail@127.0.0.1:9",
}


async def test_canaries_are_in_no_log(tmp_path: Path) -> None:
    """Both stores are away, so that their clients' errors, with what those know of the connection, are logged."""
    async with running(
        "query_api", tmp_path, domain=TINY, log_level="debug", readstore_timeout="0.3", **SECRETS
    ) as api:
        headers = {"Authorization": "Bearer canary-token", "Cookie": "canary-cookie", "traceparent": "canary"}
        async with http_session(api.url, headers=headers) as http:
            told = ""
            for path in ("/lamps/l-1", "/lamps/l-1?token=canary-parameter", "/health/ready", "/metrics", "/nowhere"):
                async with http.get(path) as response:
                    told += await response.text()

            async def opened() -> bool:
                async with http.get("/health/ready") as response:
                    return '"open"' in await response.text()

            await until(opened, "a circuit opens", 60)
        assert await api.stop() == 0
        lines = api.log.read_text().splitlines()
    assert "canary" not in told.replace("canary-parameter", ""), "the client's own words may come back to it"
    events = {event.strip("`") for event, *_ in rows("events")}
    fields = {field.strip("`") for field, _ in rows("fields")}
    heard: set[str] = set()
    for text in lines:
        assert "canary" not in text
        line: dict[str, Any] = msgspec.json.decode(text)
        assert line["event"] in events, text
        assert line.keys() <= fields, text
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"])
        assert (line["service"], bool(line["version"])) == ("query_api", True)
        heard.add(line["event"])
    assert {"serving", "stopped", "the dependency is away: calls are refused"} <= heard


async def test_a_service_whose_log_nobody_reads_goes_on() -> None:
    port = free_port()
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", TINY, "command-api"),
        env={
            **os.environ,
            "EVENTFOLD_COMMAND_API_PORT_NUMBER": str(port),
            "EVENTFOLD_EVENTSTORE_URI": "esdb://127.0.0.1:9?Tls=false",
        },
        stdout=write,
        cwd=ROOT,
    )
    os.close(write)
    try:
        async with http_session(f"http://127.0.0.1:{port}") as http:

            async def alive() -> bool:
                try:
                    async with http.get("/health/live") as response:
                        return response.status == 200
                except aiohttp.ClientError:
                    return False

            async def say(times: int) -> None:
                for _ in range(times):
                    async with http.put("/log-level", json={"level": "info"}) as response:  # a line each
                        assert response.status == 200

            await until(alive, "the service is alive", 60)
            await say(400)  # more than a pipe holds, which is 64 KiB
            assert await alive()
            os.close(read)
            await say(20)
            assert await alive()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

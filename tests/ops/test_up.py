"""`eventfold up` as a process of its own, with every real service."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import ops
from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.security.development_keys import DevelopmentKeys
from infrastructure.settings import PREFIX
from tests.support.http_session import http_session
from tests.support.kubelet import namespace_variables

ROOT = Path(ops.__file__).parents[1]
EVENTFOLD = [sys.executable, "-m", "ops.cli"]


def without_settings() -> dict[str, str]:
    """The environment of somebody who has set nothing: tokens are asked for."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


@asynccontextmanager
async def running_stack(
    data_dir: Path, settings: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
) -> AsyncIterator[Process]:
    """`eventfold up`, among Kubernetes' variables, once all is ready; killed at the end if it still runs."""
    environment = {**without_settings(), **namespace_variables(), **(settings or {})}
    up = await asyncio.create_subprocess_exec(
        *EVENTFOLD,
        *("up", "--free-ports", "--data-dir", str(data_dir), *arguments),
        stdout=PIPE,
        cwd=ROOT,
        env=environment,
    )
    try:
        assert up.stdout is not None
        async with asyncio.timeout(90):
            while b"are ready" not in (line := await up.stdout.readline()):
                assert line, "it ended before it was ready"
        yield up
    finally:
        if up.returncode is None:
            up.kill()
        await up.wait()


async def eventfold(*arguments: str) -> tuple[int, str]:
    """What a command prints, and its exit status."""
    asked = await asyncio.create_subprocess_exec(*EVENTFOLD, *arguments, stdout=PIPE, cwd=ROOT, env=without_settings())
    printed, _ = await asked.communicate()
    return asked.returncode or 0, printed.decode()


async def status(data_dir: Path) -> int:
    exit_status, printed = await eventfold("status", "--data-dir", str(data_dir))
    if exit_status == 0:
        assert "order_details" in printed, "the projector takes the token that the command makes"
    return exit_status


async def nobody_gets_in_without_a_token(data_dir: Path, services: Mapping[str, ServiceEntry]) -> str:
    """Asks as nobody, then as a customer, whose token is answered."""
    exit_status, printed = await eventfold("token", "--as", "ada", "--role", "customer", "--data-dir", str(data_dir))
    assert exit_status == 0
    token = printed.strip()
    order = {"customer_id": "ada", "currency": "USD", "lines": [{"sku": "tea", "quantity": 1, "unit_price": 450}]}
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PUT", f"{services['command-api'].url}/orders/o-1", order),
        ("GET", f"{services['query-api'].url}/orders/o-1?as_of=0", None),
    ]
    async with http_session() as http:
        for method, url, body in requests:
            async with http.request(method, url, json=body) as refused:
                assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="eventfold"')
            wrong = {"Authorization": f"Bearer {token[:-6]}AAAAAA"}
            async with http.request(method, url, json=body, headers=wrong) as refused:
                assert refused.status == 401
                assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
            async with http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status < 300, await answer.text()
        for name in ("projector", "consumers", "process-manager"):
            async with http.get(f"{services[name].url}/status") as refused:
                assert refused.status == 401, name
        async with http.get(f"{services['event-relay'].url}/events") as refused:
            assert refused.status == 401
    assert (await eventfold("views", "list", "--data-dir", str(data_dir)))[0] == 0
    return token


def command_lines() -> str:
    """Of every process on this machine, as everybody can read them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return "\n".join(found)


def logs_of(data_dir: Path) -> str:
    return "\n".join(file.read_text(errors="replace") for file in (data_dir / "logs").rglob("*") if file.is_file())


def is_alive(entry: ServiceEntry) -> bool:
    try:
        os.kill(entry.pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


async def test_up_runs_restarts_and_stops_every_service(tmp_path: Path) -> None:
    run_directory = RunDirectory(tmp_path)
    secret_file = tmp_path / "secret"
    secret_file.write_text("canary-of-the-webhooks\n")
    secrets = {
        "EVENTFOLD_PAYMENTS_KEY": "canary-of-the-key",
        "EVENTFOLD_PAYMENTS_WEBHOOK_SECRET_FILE": str(secret_file),
        "EVENTFOLD_LOG_LEVEL": "debug",
    }
    async with running_stack(tmp_path, secrets) as up:
        services = run_directory.read_services()
        assert set(services) == {
            "node",
            "read-store",
            "payment-provider",
            "mail-sink",
            "command-api",
            "projector",
            "query-api",
            "consumers",
            "process-manager",
            "event-relay",
            "payment-webhooks",
            "signing-page",
        }
        assert await status(tmp_path) == 0
        token = await nobody_gets_in_without_a_token(tmp_path, services)
        if sys.platform == "linux":
            lines = command_lines()
            assert "payment-provider" in lines
            assert "canary" not in lines
        os.kill(services["query-api"].pid or 0, signal.SIGKILL)
        async with asyncio.timeout(60):
            while (entry := run_directory.read_services()["query-api"]).restarts == 0 or entry.state != "ready":
                await asyncio.sleep(0.02)
        assert entry.pid != services["query-api"].pid
        assert await status(tmp_path) == 0
        services = run_directory.read_services()
        up.terminate()
        async with asyncio.timeout(60):
            assert await up.wait() == 0
    assert not any(is_alive(entry) for entry in services.values())
    assert await status(tmp_path) == 1
    written = logs_of(tmp_path)
    key = json.loads(DevelopmentKeys(tmp_path).signing_key.read_bytes())
    for secret in ("canary", token, token.rpartition(".")[2], key["d"]):
        assert secret not in written


@pytest.mark.skipif(sys.platform != "linux", reason="bound to the parent's life on Linux only")
async def test_nothing_outlives_a_killed_up_and_the_next_one_starts(tmp_path: Path) -> None:
    async with running_stack(tmp_path) as up:
        services = RunDirectory(tmp_path).read_services()
        up.kill()
        await up.wait()
    async with asyncio.timeout(30):
        while any(is_alive(entry) for entry in services.values()):
            await asyncio.sleep(0.02)
    async with running_stack(tmp_path):
        assert await status(tmp_path) == 0


async def test_the_demo_is_exact() -> None:
    demo = await asyncio.create_subprocess_exec(*EVENTFOLD, "demo", "--baskets", "60", stdout=PIPE, cwd=ROOT)
    async with asyncio.timeout(220):
        output, _ = await demo.communicate()
    text = output.decode()
    assert demo.returncode == 0, text
    assert text.count("kill -9") == 16, "eight kills, told when they happen and summed up at the end"
    assert text.count("the same as the log says, in order by subject") == 2, "by a webhook, and by server-sent events"
    assert "are signed, and sealed with a digital signature that holds" in text
    assert "Exact: every order, customer and day is as the file says" in text


@pytest.mark.slow
async def test_ctrl_c_ends_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {**without_settings(), "TMPDIR": str(tmp_path)}
    demo = await asyncio.create_subprocess_exec(*EVENTFOLD, "demo", stdout=PIPE, stderr=PIPE, cwd=ROOT, env=environment)
    assert demo.stdout is not None
    async with asyncio.timeout(90):
        while b"kill -9" not in (line := await demo.stdout.readline()):
            assert line, "it ended too early"
    (data_dir,) = tmp_path.glob("eventfold-demo-*")  # noqa: ASYNC240 - one small directory
    services = RunDirectory(data_dir).read_services()
    demo.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        _, complaints = await demo.communicate()
    assert (demo.returncode, complaints) == (130, b"")
    assert not any(is_alive(entry) for entry in services.values() if entry.pid)
    assert not data_dir.exists()

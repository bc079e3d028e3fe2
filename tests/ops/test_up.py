"""`eventfold up` as a process of its own, with every real service."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import ops
from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from infrastructure.settings import PREFIX
from tests.support.kubelet import namespace_variables

ROOT = Path(ops.__file__).parents[1]
EVENTFOLD = [sys.executable, "-m", "ops.cli"]


@asynccontextmanager
async def running_stack(data_dir: Path) -> AsyncIterator[Process]:
    """`eventfold up`, among Kubernetes' variables, once all is ready; killed at the end if it still runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= namespace_variables()
    up = await asyncio.create_subprocess_exec(
        *EVENTFOLD, "up", "--free-ports", "--data-dir", str(data_dir), stdout=PIPE, cwd=ROOT, env=environment
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


async def status(data_dir: Path) -> int:
    asked = await asyncio.create_subprocess_exec(
        *EVENTFOLD, "status", "--data-dir", str(data_dir), stdout=DEVNULL, cwd=ROOT
    )
    return await asked.wait()


def is_alive(entry: ServiceEntry) -> bool:
    try:
        os.kill(entry.pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


async def test_up_runs_restarts_and_stops_every_service(tmp_path: Path) -> None:
    run_directory = RunDirectory(tmp_path)
    async with running_stack(tmp_path) as up:
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
            "payment-webhooks",
        }
        assert await status(tmp_path) == 0
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
    assert text.count("kill -9") == 12, "six kills, told when they happen and summed up at the end"
    assert "Exact: every order, customer and day is as the file says" in text


@pytest.mark.slow
async def test_ctrl_c_ends_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
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

"""Servers as processes of their own, and what they use."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
from esdbclient.protos.Grpc import streams_pb2_grpc

ROOT = Path(__file__).parents[1]


class Server:
    """A server process and its port."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        return f"esdb://{self.target}?Tls=false"

    def cpu_seconds(self) -> float:
        """CPU time used so far; 0 where the system does not say."""
        return cpu_seconds_of(self._process.pid)

    async def memory_mib(self) -> float:
        """The resident set, in MiB."""
        if (kib := _resident_kib(self._process.pid)) is not None:
            return kib / 1024
        ps = await asyncio.create_subprocess_exec(
            "ps", "-o", "rss=", "-p", str(self._process.pid), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await ps.communicate()
        return int(output) / 1024


def cpu_seconds_of(pid: int) -> float:
    """CPU time that a process has used, in user and kernel mode, as Linux counts it: in hundredths of a second. 0 where
    the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_kib(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])
    except OSError:
        return None


@asynccontextmanager
async def serving(module: str, *arguments: str) -> AsyncIterator[Server]:
    """A server, from the line that says it is ready to the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        if "ready on" not in line:
            raise RuntimeError(f"{module} did not start: {line}")
        yield Server(process, int(line.split(" (")[0].rpartition(":")[2]))
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def node(data_dir: Path) -> AbstractAsyncContextManager[Server]:
    """An event store node on a data directory."""
    return serving("embedded.event_store_node", "--port", "0", "--data-dir", str(data_dir))


def bare_node(events: int = 0, streams: int = 1) -> AbstractAsyncContextManager[Server]:
    """The same servicer with storage off, its log in memory."""
    return serving("benchmarks.bare_node", str(events), str(streams))


def streams(channel: grpc.aio.Channel) -> Any:
    """The generated stub of the Streams service."""
    return streams_pb2_grpc.StreamsStub(channel)  # type: ignore[no-untyped-call]

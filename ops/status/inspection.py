"""Asks each service whether it is ready, and the projector how far it is."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from embedded.read_store_node import PROBE_DATABASE
from embedded.supervisor.readiness import PROBE_TIMEOUT, NotReady, grpc_ready, http_ready
from embedded.supervisor.run_directory import ServiceEntry
from infrastructure.settings import Settings
from ops.credentials import credentials
from ops.locations import PROJECTOR, running_stack, service_urls

TIMEOUT = aiohttp.ClientTimeout(total=5.0)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service; `problem` says why it is not ready. `pid` and `restarts` are known for a supervised one."""

    name: str
    url: str
    ready: bool
    problem: str
    pid: int | None
    restarts: int


@dataclass(frozen=True, slots=True)
class StackStatus:
    """Every service, and what the projector's GET /status says (None when it does not answer)."""

    services: list[ServiceStatus]
    projector: dict[str, Any] | None

    @property
    def all_ready(self) -> bool:
        """Whether every service is ready."""
        return all(service.ready for service in self.services)


async def inspect(data_dir: Path, settings: Settings) -> StackStatus:
    """Ask all services at once."""
    supervised = running_stack(data_dir)
    urls = {name: entry.url for name, entry in supervised.items()} | service_urls(data_dir, settings)
    services = await asyncio.gather(*(_service(name, url, supervised.get(name)) for name, url in urls.items()))
    token = credentials(data_dir, settings, urls[PROJECTOR]).token()
    return StackStatus(list(services), await _projector_status(urls[PROJECTOR], token))


async def _service(name: str, url: str, entry: ServiceEntry | None) -> ServiceStatus:
    try:
        await _ready(url)
        problem = ""
    except NotReady as error:
        problem = str(error)
    pid, restarts = (entry.pid, entry.restarts) if entry else (None, 0)
    return ServiceStatus(name, url, not problem, problem, pid, restarts)


async def _ready(url: str) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 0
    match parts.scheme:
        case "esdb":
            await grpc_ready(host, port)
        case "mongodb" | "mongodb+srv":
            await _read_store_ready(url)
        case _:
            # A service needs up to two seconds to say which store does not answer it.
            await http_ready(f"{url}/health/ready", timeout=4.0)


async def _read_store_ready(uri: str) -> None:
    # An open port says nothing: the kernel accepts connections for a server that is stopped.
    from infrastructure.read_store import ReadStore, ReadStoreRefused, ReadStoreUnavailable

    store = ReadStore(uri, PROBE_DATABASE, timeout=PROBE_TIMEOUT)
    try:
        await store.ping()
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise NotReady(f"the read store does not answer: {error}") from error
    finally:
        await store.close()


async def _projector_status(url: str, token: str | None) -> dict[str, Any] | None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, headers=headers) as session,
            session.get(f"{url}/status") as response,
        ):
            if response.status != 200:
                return None
            return msgspec.json.decode(await response.read(), type=dict[str, Any])
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
        return None

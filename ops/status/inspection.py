"""Asks each service whether it is ready, those that follow the log how far they are, and the processes how they do."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from embedded.read_store_node import PROBE_DATABASE
from embedded.supervisor.readiness import PROBE_TIMEOUT, NotReady, grpc_ready
from embedded.supervisor.run_directory import ServiceEntry
from infrastructure.settings import Settings
from ops.credentials import credentials
from ops.locations import CONSUMERS, INBOUND, PROCESS_MANAGER, PROJECTOR, running_stack, service_urls
from ops.status.health import DependencyTold, HealthTold, health_of

TIMEOUT = aiohttp.ClientTimeout(total=5.0)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service; `problem` says why it is not ready. `pid` and `restarts` are known for a supervised one, `version`
    and `dependencies` where the service tells them. `status` is ready, degraded or unready."""

    name: str
    url: str
    ready: bool
    problem: str
    pid: int | None
    restarts: int
    status: str = "ready"
    version: str | None = None
    uptime_seconds: float | None = None
    dependencies: dict[str, DependencyTold] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackStatus:
    """Every service, and what the projector's GET /status says (None when it does not answer). `consumers` is what
    another service says of consumers then; `processes` is the process manager's GET /processes, `sources` the inbound
    service's GET /sources."""

    services: list[ServiceStatus]
    projector: dict[str, Any] | None
    consumers: dict[str, Any] | None = None
    processes: dict[str, Any] | None = None
    sources: dict[str, Any] | None = None

    @property
    def all_ready(self) -> bool:
        """Whether every service is ready."""
        return all(service.ready for service in self.services)


async def inspect(data_dir: Path, settings: Settings) -> StackStatus:
    """Ask all services at once."""
    supervised = running_stack(data_dir)
    urls = {name: entry.url for name, entry in supervised.items()} | service_urls(data_dir, settings)

    async def told(session: aiohttp.ClientSession, name: str, path: str) -> dict[str, Any] | None:
        url = urls.get(name)
        return None if url is None else await _told(session, url + path, credentials(data_dir, settings, url).token())

    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        services = asyncio.gather(*(_service(session, name, url, supervised.get(name)) for name, url in urls.items()))
        projector, processes, sources = await asyncio.gather(
            told(session, PROJECTOR, "/status"),
            told(session, PROCESS_MANAGER, "/processes"),
            told(session, INBOUND, "/sources"),
        )
        consumers = None
        for name in (CONSUMERS, PROCESS_MANAGER) if projector is None else ():
            consumers = consumers or await told(session, name, "/status")
        return StackStatus(list(await services), projector, consumers, processes, sources)


async def _service(session: aiohttp.ClientSession, name: str, url: str, entry: ServiceEntry | None) -> ServiceStatus:
    health, problem = HealthTold(), ""
    try:
        health = await _health(session, url)
        problem = health.problem
    except NotReady as error:
        problem = str(error)
    uptime = health.uptime_seconds
    if uptime is None and entry is not None and entry.started_at is not None:
        uptime = max(0.0, round(time.time() - entry.started_at, 3))
    return ServiceStatus(
        name,
        url,
        not problem,
        problem,
        entry.pid if entry else None,
        entry.restarts if entry else 0,
        "unready" if problem else health.status,
        health.version,
        uptime,
        health.dependencies,
    )


async def _health(session: aiohttp.ClientSession, url: str) -> HealthTold:
    """Raises NotReady where there is nobody who could say so."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 0
    match parts.scheme:
        case "esdb":
            await grpc_ready(host, port)
        case "mongodb" | "mongodb+srv":
            await _read_store_ready(url)
        case _:
            # A service needs up to two seconds to say which store does not answer it.
            return await health_of(session, f"{url}/health/ready", timeout=4.0)
    return HealthTold()


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


async def _told(session: aiohttp.ClientSession, url: str, token: str | None) -> dict[str, Any] | None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        async with session.get(url, headers=headers) as response:
            if response.status != 200:
                return None
            return msgspec.json.decode(await response.read(), type=dict[str, Any])
    except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
        return None

"""What a service says of its health, as far as it says anything: a stand-in, or another release, may say less."""

from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from embedded.supervisor.readiness import NotReady


class DependencyTold(Struct, frozen=True):
    """One dependency, as in infrastructure.http.health.DependencyHealth."""

    status: str = "ok"
    required: bool = True
    latency_seconds: float | None = None
    breaker: str | None = None
    detail: str = ""


class HealthTold(Struct, frozen=True):
    """A service's answer to GET /health/ready."""

    status: str = "ready"
    version: str | None = None
    uptime_seconds: float | None = None
    dependencies: dict[str, DependencyTold] = {}
    problem: str = ""


async def health_of(session: aiohttp.ClientSession, url: str, *, timeout: float) -> HealthTold:
    """What is answered within so many seconds; `problem` says why the service is not ready. Raises NotReady when there
    is no answer."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
            body, status = await response.read(), response.status
    except aiohttp.ClientConnectorError as error:
        raise NotReady(f"{url}: nothing listens there") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotReady(f"{url} does not answer: {str(error) or type(error).__name__}") from error
    told = _decoded(body)
    if status == 200:
        return told if told.status in ("ready", "degraded") else msgspec.structs.replace(told, status="ready")
    down = [f"{name}: {one.detail}" for name, one in told.dependencies.items() if one.status == "down"]
    why = "; ".join(down) or f"{url} answers {status}: {body[:300].decode(errors='replace')}"
    return msgspec.structs.replace(told, status="unready", problem=why)


def _decoded(body: bytes) -> HealthTold:
    try:
        told: Any = msgspec.json.decode(body)
        told.pop("problem", None)
        return msgspec.convert(told, HealthTold)
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError, RecursionError):
        return HealthTold()

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded.supervisor.ports import free_ports
from embedded.supervisor.readiness import NotReady
from embedded.supervisor.service import ServiceSpec

FAKE_SERVICE = str(Path(__file__).with_name("fake_service.py"))

MakeSpec = Callable[..., ServiceSpec]


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Specs of fake services; each is ready when its newest process has written its pid."""

    def make(name: str, behaviour: str = "good", port: int | None = None) -> ServiceSpec:
        ready_file = tmp_path / f"{name}.ready"

        async def ready() -> None:
            try:
                os.kill(int(ready_file.read_text() or 0), 0)
            except (FileNotFoundError, ProcessLookupError, ValueError):
                raise NotReady(f"{name} has not said that it is ready") from None

        return ServiceSpec(
            name=name,
            command=[sys.executable, "-S", FAKE_SERVICE, behaviour, str(tmp_path), name],
            host="127.0.0.1",
            port=port or free_ports("127.0.0.1", 1)[0],
            url=f"fake://{name}",
            ready=ready,
        )

    return make


async def eventually(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Wait until the condition holds; the timeout only bounds a failing test."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)

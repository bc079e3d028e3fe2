"""A supervisor in a process of its own with one fake service, whose pid it prints; for the test that kills it."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from embedded.supervisor.ports import free_ports
from embedded.supervisor.readiness import NotReady
from embedded.supervisor.service import ServiceSpec
from embedded.supervisor.supervisor import Supervisor


async def main(directory: Path) -> None:
    ready_file = directory / "only.ready"

    async def ready() -> None:
        if not ready_file.exists():
            raise NotReady("not yet")

    fake_service = str(Path(__file__).with_name("fake_service.py"))
    spec = ServiceSpec(
        name="only",
        command=[sys.executable, "-S", fake_service, "good", str(directory), "only"],
        host="127.0.0.1",
        port=free_ports("127.0.0.1", 1)[0],
        url="fake://only",
        ready=ready,
    )
    async with Supervisor(directory, [[spec]]).running() as supervisor:
        print(supervisor.services["only"].pid, flush=True)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1])))

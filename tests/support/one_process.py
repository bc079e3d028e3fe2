"""Services of the bundled domain in one process: `python -m tests.support.one_process PART,PART... [node options]`.

And any other service as a whole of one part: `python -m tests.support.one_process MODULE ...` runs MODULE as it is, but
what it serves is composed as the one process is.
"""

import runpy
import sys
from collections.abc import Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import infrastructure.http.server as server
from infrastructure.settings import Settings
from monolith.services import STAGES, Stages

MODULE = "tests.support.one_process"


def only(parts: Collection[str]) -> Stages:
    """The stages with these services alone."""
    known = {service.name for stage in STAGES for service in stage}
    assert set(parts) <= known, f"{parts} are not all among {known}"
    return tuple(tuple(service for service in stage if service.name in parts) for stage in STAGES)


def serve_as_a_whole() -> None:
    """From now on `run_service` serves what it creates as the one part of a whole."""
    from monolith.dispatching import Dispatcher
    from monolith.part import Part
    from monolith.whole import Whole

    serve_alone = server.run_service

    @asynccontextmanager
    async def nothing() -> Any:
        yield

    def run_service(name: str, create: Callable[[Settings], Any], **options: Any) -> int:
        def composed(settings: Settings) -> Whole:
            app = create(settings)
            return Whole(Dispatcher(app, [Part(name, app, at_root=True)]), [[app]], nothing)

        return serve_alone(name, composed, **options)

    server.run_service = run_service


if __name__ == "__main__":
    chosen, rest = sys.argv[1], sys.argv[2:]
    if "." in chosen:
        serve_as_a_whole()
        sys.argv[:] = [str(Path(*chosen.split("."))), *rest]
        runpy.run_module(chosen, run_name="__main__", alter_sys=True)
    else:
        from application import APPLICATION
        from monolith.main import main

        sys.exit(main(APPLICATION, rest, only(chosen.split(","))))

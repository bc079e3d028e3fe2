"""All services of one data directory: started stage by stage, stopped in reverse, listed in services.json."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from embedded.supervisor.ports import PortTaken, port_is_free
from embedded.supervisor.run_directory import RunDirectory, ServiceEntry
from embedded.supervisor.service import ServiceSpec, State, SupervisedService, Timings


def _ignore_change(_: SupervisedService) -> None:
    pass


class Supervisor:
    """Runs the services of `stages`; a stage is started when the whole stage before it is ready."""

    def __init__(
        self,
        data_dir: Path,
        stages: Sequence[Sequence[ServiceSpec]],
        *,
        timings: Timings | None = None,
        on_change: Callable[[SupervisedService], None] = _ignore_change,
    ) -> None:
        self.run_directory = RunDirectory(data_dir)
        self._on_change = on_change
        self._listed = False
        timings = timings or Timings()
        self._stages = [
            [
                SupervisedService(
                    spec, data_dir / "logs" / f"{spec.name}.log", timings=timings, on_change=self._changed
                )
                for spec in stage
            ]
            for stage in stages
        ]

    @property
    def services(self) -> dict[str, SupervisedService]:
        """Every service by name, in starting order."""
        return {service.spec.name: service for stage in self._stages for service in stage}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Supervisor"]:
        """Every service ready inside the block, every one stopped after it.

        Raises:
            AlreadyRunning: another supervisor owns the data directory.
            PortTaken: a port that a service needs is in use; nothing was started.
            StartFailed: a service did not become ready; the others were stopped again.
        """
        with self.run_directory.owned():
            self._check_ports()
            self._listed = True
            try:
                for stage in self._stages:
                    await self._start(stage)
                yield self
            finally:
                for stage in reversed(self._stages):
                    await asyncio.gather(*(service.stop() for service in stage))
                self._listed = False

    async def _start(self, stage: Sequence[SupervisedService]) -> None:
        starts = [asyncio.ensure_future(service.start()) for service in stage]
        try:
            await asyncio.gather(*starts)
        finally:
            # After the first failure (or Ctrl-C) nothing waits for the others; `stop` ends their processes.
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    def _check_ports(self) -> None:
        for service in self.services.values():
            spec = service.spec
            if not port_is_free(spec.host, spec.port):
                raise PortTaken(spec.name, spec.host, spec.port)

    def _changed(self, service: SupervisedService) -> None:
        if self._listed:
            self.run_directory.write_services(dict(_entries(self.services)))
        self._on_change(service)


def _entries(services: Mapping[str, SupervisedService]) -> Iterator[tuple[str, ServiceEntry]]:
    """Of each service; of one that has parts, each of these, whose process is the same."""
    for name, service in services.items():
        for part, url in (service.spec.parts or {name: service.spec.url}).items():
            started_at = service.started_at if service.pid is not None else None
            yield part, ServiceEntry(url, service.state, service.restarts, service.pid, started_at)


def all_ready(supervisor: Supervisor) -> bool:
    """Whether every service is ready at this moment."""
    return all(service.state is State.READY for service in supervisor.services.values())

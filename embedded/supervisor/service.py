"""One supervised service: started, watched until it is ready, started again when it dies, stopped on request."""

import asyncio
import contextlib
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from embedded.supervisor.child import Child, describe_exit, log_tail
from embedded.supervisor.readiness import NotReady, Readiness, until_ready
from infrastructure.resilience import backoff


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What to run. `prepare` is entered before each start and left right after it; it yields the file descriptors
    that the child inherits (for example a lock that must live as long as the child). `parts` are services within it,
    by name, with their URLs, which are listed in its place."""

    name: str
    command: Sequence[str]
    host: str
    port: int
    url: str
    ready: Readiness
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], AbstractContextManager[Sequence[int]]] = lambda: contextlib.nullcontext(())
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timings:
    """How long to wait before a service is given up, killed or started again, in seconds."""

    start_timeout: float = 60.0
    """the longest that a service may take to become ready the first time"""
    stop_grace: float = 15.0
    """from SIGTERM to SIGKILL; longer than the services let requests under way finish"""
    stable_after: float = 10.0
    """a service that ran for so long before it died is started again with the shortest delay"""
    backoff_base: float = 0.1
    """the first delay before it is started again"""
    backoff_cap: float = 10.0
    """the longest such delay"""


class State(enum.StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class StartFailed(Exception):
    """A service ended, or did not become ready, the first time it was started."""

    def __init__(self, service: str, reason: str, log_file: Path, tail: str) -> None:
        super().__init__(f"{service} {reason}")
        self.service = service
        self.reason = reason
        self.log_file = log_file
        self.tail = tail


class SupervisedService:
    """Keeps one service running between `start` and `stop`. One task owns the child process from spawn to end."""

    def __init__(
        self,
        spec: ServiceSpec,
        log_file: Path,
        *,
        timings: Timings,
        on_change: Callable[["SupervisedService"], None],
    ) -> None:
        self.spec = spec
        self.log_file = log_file
        self.state = State.WAITING
        self.restarts = 0
        self.last_exit: int | None = None
        self.started_at: float | None = None
        self._not_ready_because = ""
        self._child: Child | None = None
        self._timings = timings
        self._delays = self._new_delays()
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        child = self._child
        return child.pid if child is not None and child.exit_status is None else None

    async def start(self) -> None:
        """Start it and wait until it is ready; from then on it is started again whenever it dies.

        Raises:
            StartFailed: it ended, or was not ready in time.
        """
        ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(ready), name=f"supervise {self.spec.name}")
        await ready

    async def stop(self) -> None:
        """Stop it for good; a service that never started, or failed to, only becomes STOPPED."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        self._become(State.STOPPED)

    def kill(self) -> int | None:
        """SIGKILL the running process as a crash would; returns its pid, None when there was none."""
        pid = self.pid
        if self._child is not None and pid is not None:
            self._child.kill()
        return pid

    async def _run(self, first_ready: asyncio.Future[None]) -> None:
        try:
            await self._first_run(first_ready)
            while not self._stopping.is_set():
                self._become(State.RESTARTING)
                await self._pause(next(self._delays))
                if not self._stopping.is_set():
                    await self._another_run()
        except Exception as error:  # without this, a bug here would leave `start` waiting without end
            if first_ready.done():
                raise
            first_ready.set_exception(error)
        finally:
            first_ready.cancel()

    async def _first_run(self, first_ready: asyncio.Future[None]) -> None:
        """The first run. If it fails the service ends: what never worked is not started again."""
        try:
            async with asyncio.timeout(self._timings.start_timeout) as deadline:

                def on_ready() -> None:
                    deadline.reschedule(None)
                    if not first_ready.done():
                        first_ready.set_result(None)

                await self._run_child(on_ready)
            reason = describe_exit(self.last_exit or 0) + " before it was ready"
        except TimeoutError:
            reason = f"was not ready after {self._timings.start_timeout:g} s ({self._not_ready_because})"
        except OSError as error:
            reason = f"could not be started: {error}"
        if not first_ready.done() and not self._stopping.is_set():
            first_ready.set_exception(StartFailed(self.spec.name, reason, self.log_file, log_tail(self.log_file)))
            self._stopping.set()

    async def _another_run(self) -> None:
        self.restarts += 1
        with contextlib.suppress(OSError):  # what `prepare` or the system refuses now may work later
            await self._run_child(lambda: None)

    async def _run_child(self, on_ready: Callable[[], object]) -> None:
        """Runs the child until it ends by itself or the service is being stopped."""
        with self.spec.prepare() as pass_fds:
            self._child = child = await Child.start(
                self.spec.command,
                log_file=self.log_file,
                environment=self.spec.environment,
                pass_fds=pass_fds,
            )
        started_at, self.started_at = asyncio.get_running_loop().time(), time()
        self._become(State.STARTING)
        exited = asyncio.ensure_future(child.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        ready = asyncio.ensure_future(until_ready(self.spec.ready, self._note_not_ready))
        try:
            await asyncio.wait({exited, stopping, ready}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not exited.done() and not stopping.done():
                ready.result()
                self._become(State.READY)
                on_ready()
                await asyncio.wait({exited, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in (exited, stopping, ready):
                waiter.cancel()
            if child.exit_status is None:
                self._become(State.STOPPING)
            self.last_exit = await child.stop(self._timings.stop_grace)
        if asyncio.get_running_loop().time() - started_at >= self._timings.stable_after:
            self._delays = self._new_delays()

    async def _pause(self, delay: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._stopping.wait()

    def _new_delays(self) -> Iterator[float]:
        return backoff(self._timings.backoff_base, self._timings.backoff_cap)

    def _note_not_ready(self, reason: NotReady) -> None:
        self._not_ready_because = str(reason)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(self)

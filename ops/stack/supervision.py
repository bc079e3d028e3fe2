"""The supervisor for the command line: its errors say what to do, and signals stop it in order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from embedded.supervisor.ports import PortTaken
from embedded.supervisor.run_directory import AlreadyRunning
from embedded.supervisor.service import ServiceSpec, StartFailed, SupervisedService, Timings
from embedded.supervisor.supervisor import Supervisor
from ops.errors import CommandFailed

T = TypeVar("T")


@contextlib.asynccontextmanager
async def supervised(
    data_dir: Path,
    stages: Sequence[Sequence[ServiceSpec]],
    on_change: Callable[[SupervisedService], None],
    timings: Timings | None = None,
) -> AsyncIterator[Supervisor]:
    """Every service ready inside the block, every one stopped after it.

    Raises:
        CommandFailed: a service can't be started; the message says which and why.
    """
    try:
        async with Supervisor(data_dir, stages, timings=timings, on_change=on_change).running() as supervisor:
            yield supervisor
    except AlreadyRunning as error:
        raise CommandFailed(
            f"{error.data_dir} is in use: another `eventfold up` (pid {error.pid}) runs there",
            "stop that one, or choose another directory with --data-dir",
        ) from error
    except PortTaken as error:
        raise CommandFailed(
            f"port {error.port} on {error.host} is taken, and {error.service} needs it",
            f"choose another with --{error.service}-port N, other ports for all with --port-base N, "
            "or let --free-ports find some",
        ) from error
    except StartFailed as error:
        tail = f"the end of {error.log_file}:\n{error.tail}" if error.tail else f"{error.log_file} is empty"
        raise CommandFailed(str(error), tail) from error


def run_cancellable(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`; SIGTERM and SIGHUP cancel it, as Ctrl-C does.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        asyncio.CancelledError: one of the other signals.
    """

    async def cancelled_by_signals() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        return await main

    return asyncio.run(cancelled_by_signals())

"""One child process: it gets no signals from the terminal, ends when its parent does, and writes to a log file."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from embedded.supervisor import die_with_parent

MAX_LOG_BYTES = 20_000_000


class Child:
    """A running (or ended) child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str],
        pass_fds: Sequence[int] = (),
    ) -> "Child":
        """Start the command in a session of its own, so that the terminal's Ctrl-C reaches the supervisor only.

        Raises:
            OSError: the command can't be started.
        """
        _rotate_log(log_file)
        command_line = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command]
        with log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command_line,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment),
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, -n when signal n ended it, None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end and return the exit status."""
        return await self._process.wait()

    async def stop(self, grace: float) -> int:
        """Ask it to end with SIGTERM, kill its whole process group after `grace` seconds; return the exit status."""
        if self.exit_status is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(grace):
                    await self._process.wait()
            except TimeoutError:
                self.kill()
        return await self._process.wait()

    def kill(self) -> None:
        """SIGKILL to the child and to every process that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def describe_exit(status: int) -> str:
    """An exit status as part of a sentence."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"exited with status {status}"


def log_tail(log_file: Path, lines: int = 20) -> str:
    """The last lines of a log file; empty when there is none."""
    try:
        with log_file.open(errors="replace") as log:
            return "".join(deque(log, maxlen=lines)).rstrip()
    except FileNotFoundError:
        return ""


def _rotate_log(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if log_file.stat().st_size > MAX_LOG_BYTES:
            log_file.replace(log_file.with_suffix(".log.old"))

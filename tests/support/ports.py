"""Ports for servers of tests, none of which any other run of tests on this machine is given, too."""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Below those that systems choose for connections, so that no connection takes a port before its server does.
FIRST, LAST = 10_000, 32_000
BLOCK = 50


def free_port() -> int:
    """A port that nobody listens on now, nor was given here or to another process before. Raises RuntimeError when
    there is none left."""
    for port in _ports:
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("tests of this machine have every port")


def _blocks(folder: Path) -> Iterator[int]:
    """The ports of one block after another; each block is this process's until it ends."""
    folder.mkdir(exist_ok=True)
    blocks = list(range(FIRST, LAST, BLOCK))
    random.shuffle(blocks)
    for first in blocks:
        lock = os.open(folder / str(first), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        yield from range(first, first + BLOCK)


_ports = _blocks(Path(tempfile.gettempdir()) / "eventfold-test-ports")

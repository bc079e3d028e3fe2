"""Ports for servers of tests, none of which any other run of tests on this machine is given, too."""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

FIRST, LAST = 10_000, 32_000
BLOCK = 50
_CHOSEN_FOR_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")


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
    blocks = list(range(FIRST, _last(), BLOCK))
    random.shuffle(blocks)
    for first in blocks:
        lock = os.open(folder / str(first), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        yield from range(first, first + BLOCK)


def _last() -> int:
    """Below the ports that the system chooses for connections, so that none takes one before its server does."""
    try:
        first_of_connections = int(_CHOSEN_FOR_CONNECTIONS.read_text().split()[0])
    except OSError:  # not on Linux, where it is higher
        return LAST
    return min(LAST, first_of_connections) if first_of_connections > FIRST + BLOCK else LAST


_ports = _blocks(Path(tempfile.gettempdir()) / "eventfold-test-ports")

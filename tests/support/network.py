"""Servers behind a network of their own, so that packets can be lost: a network namespace and a pair of virtual links.

Only root can make these, and only where Debian's iproute2 is installed; elsewhere the tests that need them are skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence

import pytest

# TEST-NET-2 (RFC 5737): no real network has it.
HERE, THERE = "198.51.100.1", "198.51.100.2"
# A link address that nobody has: what is sent to it is taken off the wire and thrown away.
_NOBODY = "02:00:00:00:00:01"


class Network:
    """A host of the test's own at the address THERE, and a wire to it on which packets can be lost."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._near, self._far = f"{name}a", f"{name}b"

    def make(self) -> None:
        """Raises OSError or CalledProcessError where this machine does not allow it."""
        _ip("netns", "add", self._name)
        _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
        _ip("address", "add", f"{HERE}/30", "dev", self._near)
        _ip("link", "set", self._near, "up")
        self._there("address", "add", f"{THERE}/30", "dev", self._far)
        self._there("link", "set", self._far, "up")
        self._there("link", "set", "lo", "up")

    def remove(self) -> None:
        """Ends it, with the links. What runs there must have ended."""
        # The link first: a namespace lives on while a process is in it, and its link with it.
        subprocess.run(["ip", "link", "delete", self._near], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "delete", self._name], check=False, capture_output=True)

    def inside(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` on that host."""
        return ["ip", "netns", "exec", self._name, *command]

    def lose_packets(self) -> None:
        """From now on every packet is lost, both ways, without an error to anybody."""
        _ip("neigh", "replace", THERE, "lladdr", _NOBODY, "dev", self._near, "nud", "permanent")
        self._there("neigh", "replace", HERE, "lladdr", _NOBODY, "dev", self._far, "nud", "permanent")

    def mend(self) -> None:
        """Packets arrive again."""
        _ip("neigh", "delete", THERE, "dev", self._near)
        self._there("neigh", "delete", HERE, "dev", self._far)

    def _there(self, *arguments: str) -> None:
        _ip("-netns", self._name, *arguments)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def network() -> Iterator[Network]:
    """A network for the test; skips where none can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the ip command (Debian: iproute2) to make a network namespace")
    made = Network(f"ef{os.getpid() % 100_000}")
    try:
        # Apart from the block: what fails in there is no reason to skip.
        try:
            made.make()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespace can be made here: {error.stderr.decode().strip()}")
        yield made
    finally:
        made.remove()

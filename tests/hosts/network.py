"""Hosts of a test's own: network namespaces, each with one wire to a switch that can be told to carry badly.

Only root can make them, and only where Debian's iproute2 is installed; elsewhere the tests that need them are skipped.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.places import Place
from tests.support.services import ROOT

HOSTS = ("node", "store", "apis", "consumers-a", "consumers-b")
"""Where the services run; the test itself, and what is outside, is on OUTSIDE."""
OUTSIDE = "outside"


class Network:
    """Every method raises OSError or CalledProcessError where this machine does not allow it."""

    def __init__(self, seed: int) -> None:
        number = os.getpid()
        self._all = (*HOSTS, OUTSIDE)
        # Of 198.18.0.0/15, which is for tests (RFC 2544); another one for each run at a time.
        self._prefix = f"198.{18 + number // 256 % 2}.{number % 256}"
        self._devices = {host: f"eh{number % 100_000}{place}" for place, host in enumerate(self._all)}
        self._seed = seed
        self._switch: subprocess.Popen[str] | None = None

    def make(self) -> None:
        """Makes the hosts, each of which reaches every other one."""
        self._switch = subprocess.Popen(
            [sys.executable, "-m", "tests.hosts.switch", str(self._seed), *self._devices.values()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._answer()
        for place, host in enumerate(self._all, start=1):
            device, there = self._devices[host], ()
            if host != OUTSIDE:
                _ip("netns", "add", device)
                _ip("link", "set", device, "netns", device)
                there = ("-netns", device)
                _ip(*there, "link", "set", "lo", "up")
            _ip(*there, "link", "set", device, "address", f"02:00:00:00:00:{place:02x}", "mtu", "9000")
            _ip(*there, "address", "add", f"{self._prefix}.{place}/24", "dev", device)
            _ip(*there, "link", "set", device, "up")

    def remove(self) -> None:
        """Ends it. What runs there must have ended."""
        if self._switch is not None:
            self._switch.kill()  # the wires go with it
            self._switch.communicate()
        for host in HOSTS:
            subprocess.run(["ip", "netns", "delete", self._devices[host]], check=False, capture_output=True)

    def place(self, host: str) -> Place:
        """Where processes run on that host."""
        address = f"{self._prefix}.{self._all.index(host) + 1}"
        return Place(address, list if host == OUTSIDE else self._inside(host))

    def cut(self, sender: str, receiver: str, *, one_way: bool = False) -> None:
        """From now on nothing that the first sends arrives at the second (nor the other way round, unless `one_way`),
        without an error to anybody."""
        self._order("cut", self._devices[sender], self._devices[receiver])
        if not one_way:
            self._order("cut", self._devices[receiver], self._devices[sender])

    def mend(self, one: str, other: str) -> None:
        """All arrives again, both ways."""
        self._order("mend", self._devices[one], self._devices[other])
        self._order("mend", self._devices[other], self._devices[one])

    def wire(self, delay: float = 0.0, loss: float = 0.0) -> None:
        """Everything is so many seconds late from now on, and a share of it is lost."""
        self._order("wire", delay, loss)

    def link(self, host: str, *, up: bool) -> None:
        """Takes the host's network link down, which its processes are told, or up."""
        device = self._devices[host]
        _ip("-netns", device, "link", "set", device, "up" if up else "down")

    def counts(self) -> dict[str, int]:
        """How many frames were carried, lost and cut off."""
        return self._order("tell")

    def _inside(self, host: str) -> Callable[[Sequence[str]], list[str]]:
        return lambda command: ["ip", "netns", "exec", self._devices[host], *command]

    def _order(self, *order: str | float) -> dict[str, int]:
        assert self._switch is not None
        assert self._switch.stdin is not None
        self._switch.stdin.write(json.dumps(order) + "\n")
        self._switch.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._switch is not None
        assert self._switch.stdout is not None
        line = self._switch.stdout.readline()
        if not line:
            raise OSError("the switch has ended")
        counts: dict[str, int] = json.loads(line)
        return counts


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def network_or_skip(seed: int) -> Iterator[Network]:
    """Hosts for the test; skips where none can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        pytest.skip("needs root, the ip command (Debian: iproute2) and /dev/net/tun to make hosts of its own")
    made = Network(seed)
    try:
        # Apart from the block: what fails in there is no reason to skip.
        try:
            made.make()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespace can be made here: {error.stderr.decode().strip()}")
        yield made
    finally:
        made.remove()

"""A real Envoy as a process of the test's own."""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from ops.gateway.envoy import HOW_TO_INSTALL, find_envoy

_STARTS_WITHIN = 60.0


def envoy_binary() -> str:
    """Skips the test where there is none."""
    found = find_envoy()
    if found is None:
        pytest.skip(f"needs Envoy: {HOW_TO_INSTALL}")
    return found


class Envoy:
    """Its administration listens on `admin_port` of loopback; `inside` is what runs a command on another host."""

    def __init__(self, command: Sequence[str], admin_port: int, log: Path, inside: Sequence[str] = ()) -> None:
        self.log = log
        self._command = [*inside, *command]
        self._inside = inside
        self._admin = f"http://127.0.0.1:{admin_port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it has all of its configuration."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output)
        deadline = time.monotonic() + _STARTS_WITHIN
        while self.admin("/ready").strip() != "LIVE":
            assert self._process.poll() is None, f"Envoy ended: {self.log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, f"Envoy is not ready: {self.log.read_text()[-3000:]}"
            time.sleep(0.02)

    def admin(self, path: str) -> str:
        """What its administration says; empty where it does not answer."""
        if self._inside:
            asked = [*self._inside, "curl", "--silent", "--max-time", "5", self._admin + path]
            return subprocess.run(asked, capture_output=True, check=False).stdout.decode()
        try:
            with urllib.request.urlopen(self._admin + path, timeout=5) as response:
                return str(response.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def stat(self, name: str) -> int:
        """One counter or gauge; 0 while there is none."""
        for line in self.admin(f"/stats?filter=^{name}$").splitlines():
            return int(line.rpartition(": ")[2])
        return 0

    def stop(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

"""Builds images and runs containers, with a storage and a network of its own, so that this machine keeps nothing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PROGRAMS = {
    "buildah": "buildah",
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "catatonit": "catatonit",
    "curl": "curl",
}
PACKAGES = (*PROGRAMS.values(), "netavark", "aardvark-dns")

ENGINE = """
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
"""
STORAGE = """
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""


def missing() -> str:
    """What is to be installed, empty where nothing is."""
    if os.geteuid() != 0 or sys.platform != "linux":
        return "needs root on Linux, to build images and run containers"
    found = [shutil.which(program) for program in PROGRAMS]
    if not all(found) or not Path("/usr/lib/podman/netavark").exists():
        return f"needs containers without a daemon: apt-get install {' '.join(PACKAGES)}"
    return ""


class Engine:
    """buildah and podman. Containers are in a network namespace, where they can publish any port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._namespace = f"containers-{uuid4().hex[:8]}"
        for name, text in (("containers.conf", ENGINE), ("storage.conf", STORAGE)):
            (folder / name).write_text(text.format(folder=folder))
        self._environ = {
            **os.environ,
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "DISABLE_HC_SYSTEMD": "true",  # health checks are run by who waits for them
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything is gone after the block."""
        self.run("ip", "netns", "add", self._namespace)
        self.run("ip", "-netns", self._namespace, "link", "set", "lo", "up")
        try:
            yield
        finally:
            self.run("podman", "rm", "--all", "--force", "--depend", "--time", "0", check=False)
            self.run("buildah", "rm", "--all", check=False)
            self.run("podman", "rmi", "--all", "--force", check=False)
            self.run("ip", "netns", "delete", self._namespace, check=False)
            shutil.rmtree(self.folder / "storage", ignore_errors=True)

    def run(self, *command: str, seconds: float = 900, check: bool = True) -> str:
        """What a command prints; fails with what it said where it does not succeed."""
        told = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=self._environ)
        if check:
            assert told.returncode == 0, f"{command}: {told.stdout[-4000:]}{told.stderr[-4000:]}"
        return told.stdout

    def inside(self, *command: str, seconds: float = 300, check: bool = True) -> str:
        """`run`, in the network of the containers."""
        return self.run(*self.entering(), *command, seconds=seconds, check=check)

    def entering(self) -> list[str]:
        """What a command line begins with that is to be run in the network of the containers. `ip netns exec` would
        hide the control groups from what starts containers."""
        return ["nsenter", f"--net=/run/netns/{self._namespace}"]

    def build(self, dockerfile: Path, tag: str, context: Path, arguments: Mapping[str, str] = {}) -> None:
        """Builds an image, with this machine's own settings of pip."""
        ignored = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
        self.run(
            *("buildah", "bud", "--quiet", "--format", "docker", *self._pip_settings()),
            *(part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")),
            *(("--ignorefile", str(ignored)) if ignored.exists() else ()),
            *("--file", str(dockerfile), "--tag", tag, str(context)),
        )

    def _pip_settings(self) -> Iterator[str]:
        """Where pip finds its index here. None of it is in the image: the files are there while commands run."""
        config, certificates = self.folder / "pip.conf", self.folder / "pip-certificates.pem"
        told = self.run(sys.executable, "-m", "pip", "config", "list")
        given = {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in map(_parted, told.splitlines())}
        chosen = {name: given[name] for name in ("index-url", "extra-index-url", "proxy") if name in given}
        if "cert" in given:
            shutil.copy(given["cert"], certificates)
            chosen["cert"] = "/run/pip-certificates.pem"
            yield from ("--volume", f"{certificates}:/run/pip-certificates.pem:ro")
        config.write_text("\n".join(["[global]", *(f"{name} = {value}" for name, value in chosen.items()), ""]))
        yield from ("--volume", f"{config}:/etc/pip.conf:ro")


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition("=")

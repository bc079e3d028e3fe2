"""The projector as a process."""

import gc
import os
import sys

from infrastructure.http_service import serve
from infrastructure.settings import load_settings
from infrastructure.telemetry import start_telemetry
from projector.service import create_projector


def main() -> int:
    """Runs the projector until SIGTERM or SIGINT; answers the exit code. Raises InvalidSettings."""
    settings = load_settings(os.environ)
    start_telemetry("projector", settings)
    _collect_garbage_seldom()
    return serve(create_projector(settings), settings, settings.projector_port, "projector_port")


def _collect_garbage_seldom() -> None:
    """A batch makes tens of thousands of dicts and lists, none of them in a cycle: to go through them over and over in
    search of one would cost about a tenth of the time of catching up."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


if __name__ == "__main__":
    sys.exit(main())

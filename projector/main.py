"""The projector as a process."""

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
    return serve(create_projector(settings), settings, settings.projector_port, "projector_port")


if __name__ == "__main__":
    sys.exit(main())

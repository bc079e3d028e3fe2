"""Starts the projector: `eventfold projector`."""

from functools import partial

from infrastructure.application import Application
from infrastructure.http.server import run_service
from projector.service import create_projector


def main(application: Application) -> int:
    """Projects until SIGTERM or SIGINT; returns the exit code."""
    return run_service("projector", partial(create_projector, application), in_batches=True)

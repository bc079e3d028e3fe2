"""Starts the projector: `eventfold projector`."""

import gc
from functools import partial

from infrastructure.application import Application
from infrastructure.http.server import run_service
from projector.service import create_projector


def main(application: Application) -> int:
    """Projects until SIGTERM or SIGINT; returns the exit code."""
    _collect_garbage_rarely()
    return run_service("projector", partial(create_projector, application))


def _collect_garbage_rarely() -> None:
    """A batch makes tens of thousands of dicts and lists, none of them in a cycle: to search them for cycles again and
    again would cost about a tenth of the time of catching up."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)

"""What holds for every test."""

import os

import pytest
import structlog
from hypothesis import HealthCheck, settings

# What is not about authentication asks for no tokens; what is, turns it on. Every service that a test starts sees it.
os.environ["EVENTFOLD_AUTH"] = "off"

# How long an example takes, or the making of one, is for benchmarks to say.
settings.register_profile("eventfold", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eventfold")


@pytest.fixture(autouse=True, scope="session")
def plain_tracebacks() -> None:
    """As rich draws a traceback, with all local values, it takes seconds; many tests log one for each fault."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    processors = [one for one in structlog.get_config()["processors"] if not isinstance(one, type(renderer))]
    structlog.configure(processors=[*processors, renderer])

"""What holds for every test."""

import pytest
import structlog
from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


@pytest.fixture(autouse=True, scope="session")
def plain_tracebacks() -> None:
    """As rich draws a traceback, with all local values, it takes seconds; many tests log one for each fault."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    processors = [one for one in structlog.get_config()["processors"] if not isinstance(one, type(renderer))]
    structlog.configure(processors=[*processors, renderer])

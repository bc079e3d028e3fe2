"""What holds for every test."""

import os

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.support.shape import VARIABLE, Shape, chosen_shape


def pytest_addoption(parser: pytest.Parser) -> None:
    shapes = [str(shape) for shape in Shape]
    parser.addoption("--shape", choices=shapes, help="how services are started (default: many-processes)")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--shape"):
        os.environ[VARIABLE] = config.getoption("--shape")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if chosen_shape() is Shape.SINGLE and item.get_closest_marker("many_processes"):
            item.add_marker(pytest.mark.skip("about services that are processes of their own"))


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

"""From exceptions to problem details."""

from collections.abc import Iterator
from contextlib import contextmanager

from inbound.inbox import Overtaken
from inbound.retrying import BeingRetried
from infrastructure.http.problems import Problem, unavailable
from infrastructure.outside.http_client import UnusableResponse
from infrastructure.resilience import DependencyUnavailable
from subscriptions.http.problems import as_problems as of_the_stores


@contextmanager
def as_problems() -> Iterator[None]:
    """Raises Problem for what the operators' operations raise."""
    try:
        with of_the_stores():
            yield
    except BeingRetried as error:
        raise Problem(409, "being-retried", "Somebody else retries it", str(error)) from error
    except Overtaken as error:
        raise Problem(409, "being-handled", "It is being handled elsewhere", str(error)) from error
    except (DependencyUnavailable, UnusableResponse) as error:
        raise unavailable("command API", error) from error

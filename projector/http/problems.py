"""From what went wrong to problem details."""

from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.problems import Problem, unavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from infrastructure.view_registry import NotPossible
from projector.dead_letters.operations import NoSuchDeadLetter, NotAnswered


@contextmanager
def told_as_problems() -> Iterator[None]:
    """Raises Problem for what the projector's own operations raise."""
    try:
        yield
    except NotPossible as error:
        raise Problem(409, "not-possible", "Not possible now", str(error)) from error
    except NoSuchDeadLetter as error:
        raise Problem(404, "not-found", "Not found", str(error)) from error
    except NotAnswered as error:
        title = "Not every process has answered"
        raise Problem(503, "not-answered", title, str(error), headers={"Retry-After": "5"}) from error
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise unavailable("read store", error) from error
    except EventStoreUnavailable as error:
        raise unavailable("event store", error) from error


def no_such_view(name: str, known: list[str]) -> Problem:
    """404 that says which views there are."""
    return Problem(404, "not-found", "Not found", f"there is no view {name!r}; there are {', '.join(known)}")


def not_known_yet(name: str) -> Problem:
    """503 of a process that has just started."""
    detail = f"this process has yet to read how {name} stands"
    return Problem(503, "starting", "The projector is starting", detail, headers={"Retry-After": "1"})

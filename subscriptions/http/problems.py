"""From exceptions to problem details."""

from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.event_store import EventStoreUnavailable
from infrastructure.http.problems import Problem, unavailable
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from subscriptions.operating.dead_letters import NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout
from subscriptions.operating.draining import OnOtherLog


@contextmanager
def as_problems() -> Iterator[None]:
    """Raises Problem for what the operators' operations raise."""
    try:
        yield
    except (NoSuchConsumer, NoSuchDeadLetter) as error:
        raise Problem(404, "not-found", "Not found", str(error)) from error
    except OnOtherLog as error:
        raise Problem(503, "other-log", "The log is not the one of the checkpoint", str(error)) from error
    except ReplayTimeout as error:
        title = "Not every process has answered"
        raise Problem(503, "not-answered", title, str(error), headers={"Retry-After": "5"}) from error
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise unavailable("read store", error) from error
    except EventStoreUnavailable as error:
        raise unavailable("event store", error) from error
    except KeyStoreUnavailable as error:
        raise unavailable("key store", error) from error

"""From exceptions to problem details."""

from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.event_store import AppendRefused, EventStoreUnavailable, StreamDeleted
from infrastructure.http.problems import Problem, unavailable
from infrastructure.personal_data import KeyStoreUnavailable
from infrastructure.read_store import ReadStoreRefused, ReadStoreUnavailable
from subscriptions.operating.draining import OnOtherLog
from subscriptions.operating.replays import NoSuchConsumer, NoSuchDeadLetter, ReplayTimeout


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
    except (AppendRefused, StreamDeleted) as error:
        # What is done with dead letters is not done without a trace.
        raise Problem(503, "no-audit", "It can't be recorded who asks", str(error)) from error
    except (ReadStoreUnavailable, ReadStoreRefused) as error:
        raise unavailable("read store", error) from error
    except EventStoreUnavailable as error:
        raise unavailable("event store", error) from error
    except KeyStoreUnavailable as error:
        raise unavailable("key store", error) from error

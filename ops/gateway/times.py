"""How long the gateway waits, from how long the services take at most: it gives up after them, so that it is they who
say what is wrong."""

from infrastructure.settings import Settings

_MARGIN = 2.0


def response_time(settings: Settings) -> float:
    """Until a response has to be there, in seconds, from the request's end on: the stores' calls with their
    repetitions, and for a query the time that it waits for `at_least`."""
    stores = settings.event_store.deadline + settings.event_store.retry_timeout + settings.read_store.timeout
    return settings.queries.at_least_timeout + stores + _MARGIN


def request_time(settings: Settings) -> float:
    """Until a whole request has to be there."""
    return settings.connections.head_timeout + settings.connections.body_timeout


def kept_connection(settings: Settings) -> float:
    """How long a connection to a service is kept: shorter than the service keeps it, so that no request is sent on one
    that is being closed."""
    return settings.connections.idle_timeout * 0.8

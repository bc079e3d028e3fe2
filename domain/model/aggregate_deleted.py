"""What the log says when somebody has deleted an aggregate's stream."""

from msgspec import Struct


class AggregateDeleted(Struct, frozen=True, gc=False):
    """The stream of an aggregate was deleted. Unless that was `for_good` it may be created again.

    The event store writes it, not a command; consumers that want it name it among their events.
    """

    category: str
    aggregate_id: str
    for_good: bool = False

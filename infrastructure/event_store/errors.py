"""What can go wrong between a service and the event store, independent of the client library."""


class EventStoreUnavailable(Exception):
    """The event store can't be reached, or did not answer in time.

    An append may or may not have been written: repeating it with the same event ids and expected revision is safe.
    `retry_after` is in seconds: before that, a repetition is certain to be refused.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class WrongExpectedRevision(Exception):
    """Another writer appended first: the stream's last revision is `actual` (-1: no stream), not `expected`."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} is at revision {actual}, not {expected}")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class StreamDeleted(Exception):
    """The stream has been deleted: for good (tombstoned), or until somebody creates it again."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"stream {stream} has been deleted")
        self.stream = stream


class AppendRefused(Exception):
    """The event store will never take this append: too large, malformed or not allowed."""


class InvalidPosition(Exception):
    """No event of the log begins at the position that was to be read from."""

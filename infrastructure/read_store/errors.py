"""What can go wrong between a service and the read store, independent of the driver."""


class ReadStoreUnavailable(Exception):
    """The read store can't be reached, or did not answer in time. Every write of ours may be repeated.

    `retry_after` is in seconds: before that, a repetition is certain to be refused.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ReadStoreRefused(Exception):
    """The read store answered, but will not do what was asked: a programming error or a broken store."""


class UnsafeForReadStore(Exception):
    """A name, a value or an operator is outside the subset that every supported read store treats the same."""

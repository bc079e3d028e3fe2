"""What goes wrong with a dependency: for the moment, or so that callers must do without it."""


class TransientFault(Exception):
    """An attempt failed, and the same again may succeed; raised by operations that run under a policy.

    `retry_after` is how many seconds the dependency asks to be left alone, None where it does not say. `sent` is False
    when the attempt certainly did not reach it, so that even what is not idempotent may be repeated. `away` is False
    when it answered, so that others may well succeed: the fault then counts against no circuit.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, sent: bool = True, away: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.sent = sent
        self.away = away


class DependencyUnavailable(Exception):
    """A dependency can't be used now; it is not known what came of the call, unless `sent` is False.

    `cause` says why, for people. `retry_after` is in seconds: earlier, a repetition is certain to be refused (0: it
    may succeed at any moment). `alone` says that the dependency did answer: it is this call that it could not serve.
    """

    def __init__(
        self, dependency: str, cause: str, retry_after: float = 0.0, *, sent: bool = True, alone: bool = False
    ) -> None:
        super().__init__(f"{dependency}: {cause}")
        self.dependency = dependency
        self.cause = cause
        self.retry_after = retry_after
        self.sent = sent
        self.alone = alone

"""How far one dependency may be used, and when it counts as away."""

from msgspec import Struct


class Limits(Struct, frozen=True):
    """The numbers of one policy. Times are in seconds.

    `timeout` bounds one attempt. `concurrency` calls are under way at most, and `queue` more wait for a place; what
    comes beyond is refused at once. `retries` is how often a call is attempted again at most. After `failure_threshold`
    calls in a row that failed in all their attempts, calls are refused for `recovery_timeout`, then let through one at
    a time until `success_threshold` of them in a row have succeeded.

    Raises ValueError for a number that can't be.
    """

    timeout: float = 5.0
    concurrency: int = 32
    queue: int = 256
    retries: int = 3
    failure_threshold: int = 5
    recovery_timeout: float = 5.0
    success_threshold: int = 1

    def __post_init__(self) -> None:
        if self.timeout <= 0 or self.recovery_timeout <= 0:
            raise ValueError("a timeout is above 0")
        if min(self.concurrency, self.failure_threshold, self.success_threshold) < 1:
            raise ValueError("concurrency and thresholds are at least 1")
        if min(self.queue, self.retries) < 0:
            raise ValueError("queue and retries are at least 0")

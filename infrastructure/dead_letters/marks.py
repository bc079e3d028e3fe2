"""What the record of a dead letter keeps of its failure."""

from msgspec import Struct

NO_FAULT = -1
"""Of a record that a release without fingerprints made; it is never stored."""


class Marks(Struct, frozen=True, kw_only=True):
    """`fingerprint`, `place` and `message` are as in infrastructure.dead_letters.failure.Failure, `fault` is the
    fingerprint as a number. All of them are missing where an older release has made the record. It has failed again
    `retries` times when it was replayed, last at `retried_at` (in epoch milliseconds; 0: never)."""

    fingerprint: str = ""
    fault: int = NO_FAULT
    place: str = ""
    message: str = ""
    retries: int = 0
    retried_at: int = 0

"""What the projector answers about dead letters. Every field may be missing: it may be of another release."""

from msgspec import Struct


class Summary(Struct, frozen=True):
    """An event set aside for a consumer. `target` is what the consumer writes to, a collection if it is a view; `kind`
    says whether `keys` are a stream or documents. Times are epoch milliseconds."""

    consumer: str = "-"
    target: str | None = None
    kind: str = "-"
    keys: list[str] = []
    first: bool | None = None
    stream: str = "-"
    revision: int | None = None
    position: int | None = None
    event_type: str = "-"
    error: str = ""
    recorded_at: int | None = None
    parked_at: int | None = None


class Page(Struct, frozen=True):
    """Dead letters, the oldest first; `next` is what to pass as `after` for more."""

    dead_letters: list[Summary] = []
    next: int | None = None


class DeadLetter(Struct, frozen=True):
    """One dead letter with the event's data and metadata as text."""

    summary: Summary = Summary()
    data: str = ""
    metadata: str = ""


class Outcome(Struct, frozen=True):
    """The result of a retry or a discard."""

    consumer: str = "-"
    replayed: int = 0
    discarded: int = 0
    remaining: int = 0
    errors: list[str] = []
